"""Names of the vision towers' tensors, from transformers to llama.cpp, per model type."""

from __future__ import annotations

from tests.support.tiny_gguf_vision import (
    Gemma4Tower,
    GlmTower,
    InternVlTower,
    Lfm2Tower,
    MiniCpmTower,
    QwenTower,
    TileTower,
    VisionTower,
)

# Tensors of a SigLIP block, as most towers name them.
SIGLIP_BLOCK = {
    "layer_norm1": "ln1",
    "layer_norm2": "ln2",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
}
QWEN3_VL = QwenTower(
    "qwen3vl_merger",
    "visual.blocks",
    {
        "norm1": "ln1",
        "norm2": "ln2",
        "attn.qkv": "attn_qkv",
        "attn.proj": "attn_out",
        "mlp.linear_fc1": "ffn_up",
        "mlp.linear_fc2": "ffn_down",
    },
    {
        "visual.patch_embed.proj.bias": "v.patch_embd.bias",
        "visual.pos_embed": "v.position_embd",
        "visual.merger.norm": "v.post_ln",
        "visual.merger.linear_fc1": "mm.0",
        "visual.merger.linear_fc2": "mm.2",
    },
)
GLM4V = GlmTower(
    "glm4v",
    "visual.blocks",
    {
        "norm1": "ln1",
        "norm2": "ln2",
        "attn.qkv": "attn_qkv",
        "attn.proj": "attn_out",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    },
    {
        "visual.patch_embed.proj.bias": "v.patch_embd.bias",
        "visual.embeddings.position_embedding": "v.position_embd",
        "visual.post_conv_layernorm": "v.norm_embd",
        "visual.post_layernorm": "v.post_ln",
        "visual.downsample": "mm.patch_merger",
        "visual.merger.proj": "mm.model.fc",
        "visual.merger.post_projection_norm": "mm.post_norm",
        "visual.merger.gate_proj": "mm.gate",
        "visual.merger.up_proj": "mm.up",
        "visual.merger.down_proj": "mm.down",
    },
)
IDEFICS3 = TileTower(
    "idefics3",
    "vision_model.encoder.layers",
    SIGLIP_BLOCK,
    {
        "vision_model.embeddings.patch_embedding": "v.patch_embd",
        "vision_model.embeddings.position_embedding": "v.position_embd",
        "vision_model.post_layernorm": "v.post_ln",
        "connector.modality_projection.proj": "mm.model.fc",
    },
)
INTERNVL = InternVlTower(
    "internvl",
    "vision_tower.encoder.layer",
    {
        "layernorm_before": "ln1",
        "layernorm_after": "ln2",
        "attention.q_proj": "attn_q",
        "attention.k_proj": "attn_k",
        "attention.v_proj": "attn_v",
        "attention.q_norm": "attn_q_norm",
        "attention.k_norm": "attn_k_norm",
        "attention.projection_layer": "attn_out",
        "mlp.fc1": "ffn_up",
        "mlp.fc2": "ffn_down",
        "lambda_1": "ls1.weight",
        "lambda_2": "ls2.weight",
    },
    {
        "vision_tower.embeddings.cls_token": "v.class_embd",
        "vision_tower.embeddings.position_embeddings": "v.position_embd.weight",
        "vision_tower.embeddings.patch_embeddings.projection": "v.patch_embd",
        "vision_tower.layernorm": "v.post_ln",
        "multi_modal_projector.layer_norm": "mm.model.mlp.0",
        "multi_modal_projector.linear_1": "mm.model.mlp.1",
        "multi_modal_projector.linear_2": "mm.model.mlp.3",
    },
)
LFM2_VL = Lfm2Tower(
    "lfm2",
    "vision_tower.encoder.layers",
    SIGLIP_BLOCK,
    {
        "vision_tower.embeddings.patch_embedding": "v.patch_embd",
        "vision_tower.embeddings.position_embedding": "v.position_embd",
        "vision_tower.post_layernorm": "v.post_ln",
        "multi_modal_projector.layer_norm": "mm.input_norm",
        "multi_modal_projector.linear_1": "mm.1",
        "multi_modal_projector.linear_2": "mm.2",
    },
)
GEMMA4 = Gemma4Tower(
    "gemma4v",
    "vision_tower.encoder.layers",
    {
        "input_layernorm": "ln1",
        "post_attention_layernorm": "attn_post_norm",
        "pre_feedforward_layernorm": "ln2",
        "post_feedforward_layernorm": "ffn_post_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.q_norm": "attn_q_norm",
        "self_attn.k_norm": "attn_k_norm",
        "self_attn.o_proj": "attn_out",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    },
    {
        "vision_tower.patch_embedder.input_proj": "v.patch_embd",
        "vision_tower.patch_embedder.position_embedding_table": "v.position_embd.weight",
        "vision_tower.std_bias": "v.std_bias",
        "vision_tower.std_scale": "v.std_scale",
        "embed_vision.embedding_projection": "mm.input_projection",
    },
)
MINICPM = MiniCpmTower(
    "minicpmv4_6",
    "vision_tower.encoder.layers",
    SIGLIP_BLOCK,
    {
        "vision_tower.embeddings.patch_embedding": "v.patch_embd",
        "vision_tower.embeddings.position_embedding": "v.position_embd",
        "vision_tower.post_layernorm": "v.post_ln",
        "vision_tower.vit_merger.layer_norm1": "v.vit_merger.ln1",
        "vision_tower.vit_merger.self_attn.q_proj": "v.vit_merger.attn_q",
        "vision_tower.vit_merger.self_attn.k_proj": "v.vit_merger.attn_k",
        "vision_tower.vit_merger.self_attn.v_proj": "v.vit_merger.attn_v",
        "vision_tower.vit_merger.self_attn.out_proj": "v.vit_merger.attn_out",
        "vision_tower.vit_merger.pre_norm": "v.vit_merger.ds_ln",
        "vision_tower.vit_merger.linear_1": "v.vit_merger.ds_ffn_up",
        "vision_tower.vit_merger.linear_2": "v.vit_merger.ds_ffn_down",
        "merger.mlp.0.pre_norm": "mm.input_norm",
        "merger.mlp.0.linear_1": "mm.up",
        "merger.mlp.0.linear_2": "mm.down",
    },
)
# By the model type of the complete configuration.
VISION_TOWERS: dict[str, VisionTower] = {
    "qwen3_vl": QWEN3_VL,
    "qwen3_5": QWEN3_VL,
    "glm4v": GLM4V,
    "glm46v": GLM4V,
    "idefics3": IDEFICS3,
    "smolvlm": IDEFICS3,
    "internvl": INTERNVL,
    "lfm2_vl": LFM2_VL,
    "gemma4": GEMMA4,
    "minicpmv4_6": MINICPM,
}
