"""Converts a transformers folder of a Qwen2.5-VL to the two GGUF files that llama.cpp reads: text model and projector.

``python plugins/demo/training/export_gguf.py FOLDER OUT --dtype f16`` writes ``model-f16.gguf`` and ``mmproj-f16.gguf``
into OUT. Weights are not quantised, only rounded to half or single precision: llama.cpp's quantised types need rows of
32 or 256 numbers and are too coarse for a model of this width.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType

Dtype = Literal["f32", "f16"]
Tensors = Iterator[tuple[str, np.ndarray]]

# How llama.cpp's pre-tokenizer "qwen2" splits text; a tokenizer that splits it in another way would give other tokens.
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEXT_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
VISION_BLOCK = {
    "norm1": "ln1",
    "norm2": "ln2",
    "attn.proj": "attn_out",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OTHER_TENSORS = {
    "language_model.embed_tokens": "token_embd",
    "language_model.norm": "output_norm",
    "lm_head": "output",
    "visual.merger.ln_q": "v.post_ln",
    "visual.merger.mlp.0": "mm.0",
    "visual.merger.mlp.2": "mm.2",
}
VISION_EPSILON = 1e-6  # of the vision tower's norms: stands in transformers' code, not in its configuration


class Files(NamedTuple):
    """The written files."""

    model: Path
    mmproj: Path


def export(folder: Path, out: Path, dtype: Dtype = "f16") -> Files:
    """Write the model in ``folder`` as two GGUF files into ``out`` and return their paths.

    :raises ValueError: when the model is no Qwen2.5-VL, or llama.cpp lacks its tokenizer or attention pattern.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32")
    processor = AutoProcessor.from_pretrained(folder)
    if model.config.model_type != "qwen2_5_vl":
        raise ValueError(f"{folder} holds a {model.config.model_type}; this script converts only qwen2_5_vl")
    weights = {name.removeprefix("model."): tensor.numpy() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)  # without an output matrix, llama.cpp uses the embedding
    out.mkdir(parents=True, exist_ok=True)
    files = Files(out / f"model-{dtype}.gguf", out / f"mmproj-{dtype}.gguf")
    name = folder.resolve().name

    text = GGUFWriter(files.model, "qwen2vl")
    _describe(text, name, dtype)
    _describe_text(text, model.config.text_config)
    _describe_tokenizer(text, folder, processor, len(weights["language_model.embed_tokens.weight"]))
    _write(
        text, _rename_tensors((key, tensor) for key, tensor in weights.items() if not key.startswith("visual.")), dtype
    )

    vision = GGUFWriter(files.mmproj, "clip")
    _describe(vision, name, dtype)
    _describe_vision(vision, model.config.vision_config, processor.image_processor)
    _write(
        vision, _rename_tensors((key, tensor) for key, tensor in weights.items() if key.startswith("visual.")), dtype
    )
    return files


def _describe(file: GGUFWriter, name: str, dtype: Dtype) -> None:
    file.add_name(name)
    file.add_file_type(LlamaFileType.MOSTLY_F16 if dtype == "f16" else LlamaFileType.ALL_F32)


def _describe_text(file: GGUFWriter, config: Any) -> None:
    rope = config.rope_parameters
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_block_count(config.num_hidden_layers)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_rope_freq_base(rope["rope_theta"])
    file.add_rope_dimension_sections([*rope["mrope_section"], 0])  # time, row, column, and a fourth, unused


def _describe_tokenizer(file: GGUFWriter, folder: Path, processor: Any, n_rows: int) -> None:
    """Write tokens, merges, special tokens and chat template; embedding rows without a token become unused tokens."""
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    _check_tokenizer(data)
    tokens = {number: token for token, number in data["model"]["vocab"].items()}
    kinds = dict.fromkeys(tokens, TokenType.NORMAL)
    for added in data["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    numbers = range(max(n_rows, len(tokens)))
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("qwen2")
    file.add_token_list([tokens.get(number, f"[PAD{number}]") for number in numbers])
    file.add_token_types([kinds.get(number, TokenType.UNUSED) for number in numbers])
    merges = data["model"]["merges"]
    file.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    file.add_eos_token_id(processor.tokenizer.eos_token_id)
    file.add_pad_token_id(processor.tokenizer.pad_token_id)
    if processor.tokenizer.bos_token_id is not None:
        file.add_bos_token_id(processor.tokenizer.bos_token_id)
    file.add_add_bos_token(False)
    file.add_chat_template(processor.chat_template)


def _check_tokenizer(data: dict[str, Any]) -> None:
    pre_tokenizer = data["pre_tokenizer"] or {}
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    patterns = [step["pattern"].get("Regex") for step in steps if step.get("type") == "Split"]
    is_byte_level = [step.get("type") for step in steps] == ["Split", "ByteLevel"] and not steps[1].get("use_regex")
    if data["model"]["type"] != "BPE" or patterns != [QWEN2_PATTERN] or not is_byte_level:
        raise ValueError("the tokenizer is not a byte-level BPE that splits text as Qwen2's does")


def _describe_vision(file: GGUFWriter, config: Any, images: Any) -> None:
    file.add_clip_has_vision_encoder(True)
    file.add_clip_projector_type("qwen2.5vl_merger")
    file.add_vision_image_size(560)  # llama.cpp requires the entry; images keep their own size
    file.add_uint32("clip.vision.image_min_pixels", images.size["shortest_edge"])
    file.add_uint32("clip.vision.image_max_pixels", images.size["longest_edge"])
    file.add_vision_image_mean(list(images.image_mean))
    file.add_vision_image_std(list(images.image_std))
    file.add_vision_patch_size(config.patch_size)
    file.add_vision_spatial_merge_size(config.spatial_merge_size)
    file.add_vision_embedding_length(config.hidden_size)
    file.add_vision_feed_forward_length(config.intermediate_size)
    file.add_vision_block_count(config.depth)
    file.add_vision_head_count(config.num_heads)
    file.add_vision_projection_dim(config.out_hidden_size)
    file.add_vision_attention_layernorm_eps(VISION_EPSILON)
    file.add_vision_use_silu(True)
    file.add_vision_n_wa_pattern(_full_attention_interval(config.depth, sorted(config.fullatt_block_indexes)))


def _full_attention_interval(depth: int, blocks: list[int]) -> int:
    """Return n where every n-th block attends to the whole image; 0: all blocks do.

    :raises ValueError: when the blocks follow no such pattern.
    """
    if blocks == list(range(depth)):
        return 0
    interval = blocks[0] + 1 if blocks else depth + 1
    if blocks != list(range(interval - 1, depth, interval)):
        raise ValueError(f"llama.cpp has no pattern for full attention in blocks {blocks} of {depth}")
    return interval


def _rename_tensors(weights: Iterable[tuple[str, np.ndarray]]) -> Tensors:
    """Yield each tensor under llama.cpp's name, split where llama.cpp splits it."""
    for key, tensor in weights:
        stem, _, kind = key.rpartition(".")
        if stem == "visual.patch_embed.proj":  # (out, colour, time, row, column): one kernel per moment
            yield "v.patch_embd.weight", tensor[:, :, 0]
            yield "v.patch_embd.weight.1", tensor[:, :, 1]
        elif stem.endswith(".attn.qkv"):
            block = stem.split(".")[2]
            for part, third in zip("qkv", np.split(tensor, 3), strict=True):
                yield f"v.blk.{block}.attn_{part}.{kind}", third
        elif stem.startswith("language_model.layers."):
            _, _, layer, module = stem.split(".", 3)
            yield f"blk.{layer}.{TEXT_LAYER[module]}.{kind}", tensor
        elif stem.startswith("visual.blocks."):
            _, _, block, module = stem.split(".", 3)
            yield f"v.blk.{block}.{VISION_BLOCK[module]}.{kind}", tensor
        else:
            yield f"{OTHER_TENSORS[stem]}.{kind}", tensor


def _write(file: GGUFWriter, tensors: Tensors, dtype: Dtype) -> None:
    for name, tensor in tensors:
        is_half = dtype == "f16" and tensor.ndim > 1  # norms and biases stay in single precision, as llama.cpp expects
        kind = np.float16 if is_half else np.float32
        raw = GGMLQuantizationType.F16 if is_half else GGMLQuantizationType.F32
        file.add_tensor(name, np.ascontiguousarray(tensor, dtype=kind), raw_dtype=raw)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="transformers folder of a Qwen2.5-VL")
    parser.add_argument("out", type=Path, help="folder for the two files")
    parser.add_argument("--dtype", choices=get_args(Dtype), default="f16")
    arguments = parser.parse_args()
    for path in export(arguments.folder, arguments.out, arguments.dtype):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
