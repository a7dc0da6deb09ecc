"""Qwen2.5-VL as the two GGUF files of llama.cpp: language model in the mix Q4_K_M, projector in half precision."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType

from benchmarks.checkpoints.files import BLOCK, Tensor, normal_numbers
from plugins.demo.training.export_gguf import OTHER_TENSORS, TEXT_LAYER, VISION_BLOCK, VISION_EPSILON

F16, F32 = GGMLQuantizationType.F16, GGMLQuantizationType.F32
Q4_K, Q6_K = GGMLQuantizationType.Q4_K, GGMLQuantizationType.Q6_K
N_BLOCKS = 65_521  # of quantised random numbers; a prime
Part = tuple[str, tuple[int, ...], GGMLQuantizationType, float, float | None]  # name, shape, kind, deviation, fill


@cache
def _quantised(kind: GGMLQuantizationType, deviation: float) -> np.ndarray:
    """Return blocks of 256 random numbers each, (n, bytes of a block), of a standard deviation."""
    numbers = np.random.default_rng(24)
    blocks = numbers.integers(0, 256, (N_BLOCKS, GGML_QUANT_SIZES[kind][1]), np.uint8)
    if kind == Q4_K:  # scale, scale of the minima (7.5 steps), 16 scales of 6 bits, all of them 32, then the numbers
        scale = np.float16(deviation / (32 * 4.61))
        blocks[:, 0:4] = np.array([scale, np.float16(7.5 * scale)]).view(np.uint8)
        blocks[:, 4:16] = [0xA0] * 8 + [0] * 4
    else:  # Q6_K: the numbers, 16 scales of 8 bits, scale
        blocks[:, 192:208] = 8
        blocks[:, 208:210] = np.array([deviation / (8 * 18.5)], np.float16).view(np.uint8)
    return blocks


def _numbers(part: Part, offset: int) -> np.ndarray:
    """Return the content of a tensor in the type of the file, as bytes (rows, bytes of a row) or numbers."""
    _, shape, kind, deviation, fill = part
    n_numbers = math.prod(shape)
    if kind in (Q4_K, Q6_K):
        blocks = _quantised(kind, round(deviation, 6))
        n_rows, start = n_numbers // 256, offset % N_BLOCKS
        n_times = -(-(start + n_rows) // N_BLOCKS)
        return np.concatenate([blocks] * n_times)[start : start + n_rows].reshape(*shape[:-1], -1)
    dtype = np.float16 if kind == F16 else np.float32
    if fill is not None:
        return np.full(shape, fill, dtype)
    block = _rounded(round(deviation, 6), dtype)
    start = offset % BLOCK
    n_times = -(-(start + n_numbers) // BLOCK)
    return np.concatenate([block] * n_times)[start : start + n_numbers].reshape(shape)


@cache
def _rounded(deviation: float, dtype: type[np.floating[Any]]) -> np.ndarray:
    return (normal_numbers() * np.float32(deviation)).astype(dtype)


def write_gguf(
    folder: Path, config: Mapping[str, Any], language: Sequence[Tensor], tower: Sequence[Tensor], processor: Any
) -> tuple[Path, Path, float]:
    """Write the two files and return their paths, and the mean bits per weight of the layers' matrices.

    :param config: in the published form. :param language: its tensors. :param tower: those of the image half.
    """
    model, mmproj = folder / "Qwen2.5-VL-Q4_K_M.gguf", folder / "mmproj-Qwen2.5-VL-f16.gguf"
    text = GGUFWriter(model, "qwen2vl")
    text.add_name("Qwen2.5-VL")
    text.add_file_type(LlamaFileType.MOSTLY_Q4_K_M)
    _describe_text(text, config)
    _describe_tokenizer(text, processor, config["vocab_size"])
    parts = [_text_part(tensor, config) for tensor in language]
    _write(text, parts)
    vision = GGUFWriter(mmproj, "clip")
    vision.add_name("Qwen2.5-VL")
    vision.add_file_type(LlamaFileType.MOSTLY_F16)
    _describe_vision(vision, config["vision_config"], processor.image_processor)
    _write(vision, [part for tensor in tower for part in _image_parts(tensor)])
    matrices = [part for part in parts if part[0].startswith("blk.") and part[2] in (Q4_K, Q6_K)]
    weights = sum(math.prod(part[1]) for part in matrices)
    n_bytes = sum(math.prod(part[1]) // 256 * GGML_QUANT_SIZES[part[2]][1] for part in matrices)
    return model, mmproj, 8 * n_bytes / weights


def _describe_text(file: GGUFWriter, config: Mapping[str, Any]) -> None:
    file.add_context_length(config["max_position_embeddings"])
    file.add_embedding_length(config["hidden_size"])
    file.add_block_count(config["num_hidden_layers"])
    file.add_feed_forward_length(config["intermediate_size"])
    file.add_head_count(config["num_attention_heads"])
    file.add_head_count_kv(config["num_key_value_heads"])
    file.add_layer_norm_rms_eps(config["rms_norm_eps"])
    file.add_rope_freq_base(config["rope_theta"])
    file.add_rope_dimension_sections([*config["rope_scaling"]["mrope_section"], 0])


def _describe_tokenizer(file: GGUFWriter, processor: Any, n_rows: int) -> None:
    """Write tokens, merges, special tokens and chat template; rows without a token become unused tokens."""
    with tempfile.TemporaryDirectory() as folder:
        processor.tokenizer.save_pretrained(folder)
        data = json.loads((Path(folder) / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = {number: token for token, number in data["model"]["vocab"].items()}
    kinds = dict.fromkeys(tokens, TokenType.NORMAL)
    for added in data["added_tokens"]:
        tokens[added["id"]] = added["content"]
        kinds[added["id"]] = TokenType.CONTROL
    numbers = range(n_rows)
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("qwen2")
    file.add_token_list([tokens.get(number, f"[PAD{number}]") for number in numbers])
    file.add_token_types([kinds.get(number, TokenType.UNUSED) for number in numbers])
    file.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in data["model"]["merges"]])
    tokenizer = processor.tokenizer
    file.add_eos_token_id(tokenizer.eos_token_id)
    file.add_pad_token_id(tokenizer.pad_token_id)
    file.add_bos_token_id(tokenizer.pad_token_id)
    file.add_add_bos_token(False)
    file.add_chat_template(processor.chat_template)


def _describe_vision(file: GGUFWriter, vision: Mapping[str, Any], images: Any) -> None:
    file.add_clip_has_vision_encoder(True)
    file.add_clip_projector_type("qwen2.5vl_merger")
    file.add_vision_image_size(560)  # llama.cpp requires the entry; images keep their own size
    file.add_uint32("clip.vision.image_min_pixels", images.size["shortest_edge"])
    file.add_uint32("clip.vision.image_max_pixels", images.size["longest_edge"])
    file.add_vision_image_mean(list(images.image_mean))
    file.add_vision_image_std(list(images.image_std))
    file.add_vision_patch_size(vision["patch_size"])
    file.add_vision_spatial_merge_size(vision["spatial_merge_size"])
    file.add_vision_embedding_length(vision["hidden_size"])
    file.add_vision_feed_forward_length(vision["intermediate_size"])
    file.add_vision_block_count(vision["depth"])
    file.add_vision_head_count(vision["num_heads"])
    file.add_vision_projection_dim(vision["out_hidden_size"])
    file.add_vision_attention_layernorm_eps(VISION_EPSILON)
    file.add_vision_use_silu(True)
    file.add_vision_n_wa_pattern(vision["fullatt_block_indexes"][0] + 1)


def _text_part(tensor: Tensor, config: Mapping[str, Any]) -> Part:
    """Return a tensor of the language model as the mix Q4_K_M stores it: some of the matrices have 6 bits."""
    stem, _, suffix = tensor.name.rpartition(".")
    if len(tensor.shape) == 1:
        return (_text_name(stem, suffix), tensor.shape, F32, tensor.deviation, tensor.fill)
    n_layers = config["num_hidden_layers"]
    has_six = stem == "lm_head" or (stem == "model.embed_tokens" and config["tie_word_embeddings"])
    if stem.startswith("model.layers."):
        layer = int(stem.split(".")[2])
        eighth = n_layers // 8
        needs_more = layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2
        has_six = needs_more and stem.endswith(("v_proj", "down_proj"))
    return (_text_name(stem, suffix), tensor.shape, Q6_K if has_six else Q4_K, tensor.deviation, None)


def _text_name(stem: str, suffix: str) -> str:
    if stem.startswith("model.layers."):
        _, _, layer, module = stem.split(".", 3)
        return f"blk.{layer}.{TEXT_LAYER[module]}.{suffix}"
    renamed = OTHER_TENSORS[stem if stem == "lm_head" else stem.replace("model.", "language_model.", 1)]
    return f"{renamed}.{suffix}"


def _image_parts(tensor: Tensor) -> list[Part]:
    """Return a tensor of the image half under llama.cpp's names, split where llama.cpp splits it."""
    stem, _, suffix = tensor.name.rpartition(".")
    kind = F16 if len(tensor.shape) > 1 else F32
    shape = tensor.shape

    def part(name: str, part_shape: tuple[int, ...] = shape) -> Part:
        return (name, part_shape, kind, tensor.deviation, tensor.fill)

    if stem == "visual.patch_embed.proj":  # (out, colour, time, row, column): one kernel per moment
        kernel = (shape[0], shape[1], *shape[3:])
        return [part("v.patch_embd.weight", kernel), part("v.patch_embd.weight.1", kernel)]
    if stem.endswith(".attn.qkv"):
        block = stem.split(".")[2]
        return [part(f"v.blk.{block}.attn_{name}.{suffix}", (shape[0] // 3, *shape[1:])) for name in "qkv"]
    if stem.startswith("visual.blocks."):
        _, _, block, module = stem.split(".", 3)
        return [part(f"v.blk.{block}.{VISION_BLOCK[module]}.{suffix}")]
    return [part(f"{OTHER_TENSORS[stem]}.{suffix}")]


def _write(file: GGUFWriter, parts: Sequence[Part]) -> None:
    """Write header and tensors, one tensor in memory at a time."""
    for name, shape, kind, _, _ in parts:
        n_per_block, n_bytes = GGML_QUANT_SIZES[kind]
        size = math.prod(shape) // n_per_block * n_bytes
        if kind in (Q4_K, Q6_K):  # the writer takes the shape in bytes
            shape = (*shape[:-1], shape[-1] // n_per_block * n_bytes)
            file.add_tensor_info(name, shape, np.dtype(np.uint8), size, raw_dtype=kind)
        else:
            file.add_tensor_info(name, shape, np.dtype(np.float16 if kind == F16 else np.float32), size)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_ti_data_to_file()
    for number, part in enumerate(parts):
        file.write_tensor_data(_numbers(part, number * 1009))
    file.close()
