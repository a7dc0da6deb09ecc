"""Tiny checkpoints of the Qwen-VL models, and of two that build on them: MiniCPM-V 4.6 and GLM-4.6V."""

from __future__ import annotations

from typing import Any

from tests.support.tiny_parts import SCALE, text_sizes, token_ids, vision_sizes
from tests.support.tiny_templates import chat_template, glm4v_template, thinking_template
from tests.support.tiny_tokenizers import LLAMA3_WORDS, QWEN35_WORDS, byte_tokenizer

QWEN_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
THINK_TOKENS = ("<think>", "</think>")  # ordinary tokens, not special ones: they stay in the answer


def _qwen_ids(tokenizer: Any) -> dict[str, int]:
    return token_ids(
        tokenizer,
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
        vision_start_token="<|vision_start|>",
        vision_end_token="<|vision_end|>",
    )


def qwen2_5_vl(
    text: dict[str, Any] | None = None, vision: dict[str, Any] | None = None, **changes: Any
) -> tuple[Any, Any]:
    """Qwen2.5-VL: windowed attention in the vision tower, three-dimensional rotary positions.

    ``text``, ``vision`` and ``changes`` replace values of the text, the vision and the complete configuration.
    """
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer = byte_tokenizer(QWEN_TOKENS)
    pixels = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 36}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(size=pixels),
        chat_template=chat_template(QWEN_IMAGE),
    )
    tower = {"depth": 4, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]}
    config = Qwen2_5_VLConfig(
        text_config=text_sizes(tokenizer, rope_parameters=rope, **(text or {})),
        vision_config=tower | {"fullatt_block_indexes": [1, 3], "initializer_range": SCALE} | (vision or {}),
        **_qwen_ids(tokenizer),
        **changes,
    )
    return Qwen2_5_VLForConditionalGeneration(config), processor


def qwen2_5_vl_of_64() -> tuple[Any, Any]:
    """Qwen2.5-VL of matrices at least 64 wide: on some CPUs bitsandbytes packs 4 bits in no narrower ones."""
    return qwen2_5_vl(vision={"hidden_size": 64})


def qwen2_5_vl_wide() -> tuple[Any, Any]:
    """Qwen2.5-VL in the sizes of the demo's model: wider, each vision block sees the whole image, tied embeddings."""
    text = {
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    blocks = {"fullatt_block_indexes": [0, 1, 2, 3]}
    vision = {"hidden_size": 128, "intermediate_size": 256, "num_heads": 4, "out_hidden_size": 128} | blocks
    model, processor = qwen2_5_vl(text, vision, tie_word_embeddings=True)
    for images in (processor.image_processor, processor.video_processor):
        images.size = {"shortest_edge": 56 * 56, "longest_edge": 66 * 28 * 28}  # 240x320 becomes 196x252
    return model, processor


def qwen3_vl() -> tuple[Any, Any]:
    """Qwen3-VL: vision features also enter deeper layers of the text model."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer = byte_tokenizer(QWEN_TOKENS)
    pixels = {"shortest_edge": 64 * 64, "longest_edge": 32 * 32 * 36}
    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels, patch_size=16),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(size=pixels),
        chat_template=chat_template(QWEN_IMAGE),
    )
    vision = {"depth": 3, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 4, 4], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config=text_sizes(tokenizer, head_dim=32, num_hidden_layers=3, rope_parameters=rope),
        vision_config=vision
        | {"num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1], "initializer_range": SCALE},
        **_qwen_ids(tokenizer),
    )
    return Qwen3VLForConditionalGeneration(config), processor


def qwen3_5() -> tuple[Any, Any]:
    """Qwen3.5: three gated delta-net layers, then one of gated attention with rotary positions in a quarter of it."""
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3_5Config,
        Qwen3_5ForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    tokenizer = byte_tokenizer(QWEN_TOKENS, words=QWEN35_WORDS)
    tokenizer.add_tokens(list(THINK_TOKENS))
    pixels = {"shortest_edge": 64 * 64, "longest_edge": 32 * 32 * 36}
    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels, patch_size=16),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(size=pixels),
        chat_template=thinking_template(QWEN_IMAGE),
    )
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
    config = Qwen3_5Config(
        text_config=qwen3_5_text(tokenizer),
        vision_config=vision | {"num_position_embeddings": 64, "initializer_range": SCALE},
        **_qwen_ids(tokenizer),
    )
    return Qwen3_5ForConditionalGeneration(config), processor


def qwen3_5_text(tokenizer: Any) -> dict[str, Any]:
    """Return the configuration of a tiny text model of Qwen3.5."""
    rope = {"rope_type": "default", "rope_theta": 1e7, "mrope_section": [3, 3, 2], "mrope_interleaved": True}
    linear = {"key_head_dim": 64, "value_head_dim": 64, "num_key_heads": 2, "num_value_heads": 4}
    return text_sizes(
        tokenizer,
        model_type="qwen3_5_text",
        num_hidden_layers=4,
        head_dim=64,
        rope_parameters=rope | {"partial_rotary_factor": 0.25},
        **{f"linear_{name}": size for name, size in linear.items()},
    )


def minicpmv4_6() -> tuple[Any, Any]:
    """MiniCPM-V 4.6: an overview and slices of the image, merged twice in the tower; the text model is Qwen3.5."""
    from transformers import (
        MiniCPMV4_6Config,
        MiniCPMV4_6ForConditionalGeneration,
        MiniCPMV4_6ImageProcessor,
        MiniCPMV4_6Processor,
        MiniCPMV4_6VideoProcessor,
    )

    named = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "image_start_token": "<image>",
        "image_end_token": "</image>",
        "slice_start_token": "<slice>",
        "slice_end_token": "</slice>",
        "image_id_start_token": "<image_id>",
        "image_id_end_token": "</image_id>",
    }
    tokenizer = byte_tokenizer(tuple(named.values()), named, words=QWEN35_WORDS)
    tokenizer.add_tokens(list(THINK_TOKENS))
    size = {"scale_resolution": 112, "patch_size": 14, "max_slice_nums": 9}
    processor = MiniCPMV4_6Processor(
        MiniCPMV4_6ImageProcessor(**size),
        MiniCPMV4_6VideoProcessor(**size),
        tokenizer,
        chat_template=thinking_template("<|image_pad|>"),
    )
    config = MiniCPMV4_6Config(
        text_config=qwen3_5_text(tokenizer),
        vision_config=vision_sizes(num_hidden_layers=3, image_size=980),  # llama.cpp has 70x70 positions in its code
        insert_layer_id=1,
        image_size=112,
        **token_ids(tokenizer, image_token="<|image_pad|>", video_token="<|video_pad|>"),
    )
    return MiniCPMV4_6ForConditionalGeneration(config), processor


def glm4v() -> tuple[Any, Any]:
    """GLM-4.6V-Flash, whose architecture is that of GLM-4.1V: rotary positions in half of a head, four norms."""
    from transformers import (
        Glm4vConfig,
        Glm4vForConditionalGeneration,
        Glm46VImageProcessor,
        Glm46VProcessor,
        Glm46VVideoProcessor,
    )

    roles = ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
    image = {
        "image_start_token": "<|begin_of_image|>",
        "image_end_token": "<|end_of_image|>",
        "image_token": "<|image|>",
    }
    video = {
        "video_start_token": "<|begin_of_video|>",
        "video_end_token": "<|end_of_video|>",
        "video_token": "<|video|>",
    }
    tokens = image | video
    tokenizer = byte_tokenizer((*roles, *tokens.values()), words=LLAMA3_WORDS, eos_token="<|user|>")
    tokenizer.add_tokens([*THINK_TOKENS, "/nothink"])
    pixels = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 72}
    processor = Glm46VProcessor(
        Glm46VImageProcessor(size=pixels),
        tokenizer,
        Glm46VVideoProcessor(size=pixels),
        chat_template=glm4v_template(),
    )
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3], "partial_rotary_factor": 0.5}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
    config = Glm4vConfig(
        text_config=text_sizes(tokenizer, rope_parameters=rope, attention_bias=True),  # it is for vLLM
        vision_config=vision | {"image_size": 112, "initializer_range": SCALE},
        **token_ids(tokenizer, **tokens),
    )
    return Glm4vForConditionalGeneration(config), processor
