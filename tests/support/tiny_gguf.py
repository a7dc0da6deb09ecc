"""Converts the tiny checkpoints to the two GGUF files that llama.cpp reads: text model and projector.

``python -m tests.support.tiny_gguf FOLDER OUT`` converts a folder that ``tiny_models`` wrote. `export` does it from
Python. Weights keep single precision unless half precision is asked for; norms and biases always do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType

from tests.support.tiny_gguf_text import TEXT_MODELS
from tests.support.tiny_gguf_towers import VISION_TOWERS
from tests.support.tiny_tokenizers import LLAMA3_WORDS, QWEN2_WORDS, QWEN35_WORDS

Dtype = Literal["f32", "f16"]


SINGLE_PRECISION = ("position_embd", "class_embd", "conv1d", "shortconv.conv")  # llama.cpp takes no other
# llama.cpp's names of the expressions by which tokenizers split text into words.
WORD_RULES = {QWEN2_WORDS: "qwen2", QWEN35_WORDS: "qwen35", LLAMA3_WORDS: "llama-bpe"}


class Files(NamedTuple):
    """The written files."""

    model: Path
    mmproj: Path


def export(folder: Path, out: Path, dtype: Dtype = "f32") -> Files:
    """Write the checkpoint in ``folder`` as two GGUF files into ``out`` and return their paths.

    :raises ValueError: when there is no conversion for its architecture or its tokenizer.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(folder, dtype="float32")
    processor = AutoProcessor.from_pretrained(folder)
    config = model.config
    text_type, vision_type = config.get_text_config().model_type, config.model_type
    if text_type not in TEXT_MODELS or vision_type not in VISION_TOWERS:
        raise ValueError(f"no GGUF conversion for {vision_type} with a text model of type {text_type}")
    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    out.mkdir(parents=True, exist_ok=True)
    files = Files(out / f"model-{dtype}.gguf", out / f"mmproj-model-{dtype}.gguf")

    text_model = TEXT_MODELS[text_type]
    text = GGUFWriter(files.model, text_model.architecture(config))
    _describe(text, folder.name, dtype)
    text_model.describe(text, config)
    _describe_tokenizer(text, folder, processor, config.get_text_config().vocab_size)
    _write(text, text_model.tensors(weights, config), dtype)

    tower = VISION_TOWERS[vision_type]
    vision = GGUFWriter(files.mmproj, "clip")
    _describe(vision, folder.name, dtype)
    tower.describe(vision, config, processor.image_processor)
    _write(vision, tower.tensors(weights, config), dtype)
    return files


def _describe(file: GGUFWriter, name: str, dtype: Dtype) -> None:
    file.add_name(name)
    file.add_file_type(LlamaFileType.MOSTLY_F16 if dtype == "f16" else LlamaFileType.ALL_F32)


def _describe_tokenizer(file: GGUFWriter, folder: Path, processor: Any, n_rows: int) -> None:
    """Write tokens, merges, special tokens and chat template; embedding rows without a token become unused tokens."""
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = {number: token for token, number in data["model"]["vocab"].items()}
    types = dict.fromkeys(tokens, TokenType.NORMAL)
    for added in data["added_tokens"]:
        tokens[added["id"]] = added["content"]
        types[added["id"]] = TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED
    numbers = range(max(n_rows, len(tokens)))
    model, word_rule = _name_tokenizer(data)
    file.add_tokenizer_model(model)
    file.add_tokenizer_pre(word_rule)
    file.add_token_list([tokens.get(number, f"[PAD{number}]") for number in numbers])
    file.add_token_types([types.get(number, TokenType.UNUSED) for number in numbers])
    if model == "gemma4":
        file.add_token_scores([0.0] * len(numbers))
        file.add_add_space_prefix(False)
    merges = data["model"]["merges"]
    file.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    tokenizer = processor.tokenizer
    for name in ("bos", "eos", "pad", "unk"):
        if (number := getattr(tokenizer, f"{name}_token_id")) is not None:
            getattr(file, f"add_{name}_token_id")(number)
    file.add_add_bos_token(tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id)
    file.add_chat_template(processor.chat_template)


def _name_tokenizer(data: dict[str, Any]) -> tuple[str, str]:
    """Return llama.cpp's names of a tokenizer's kind and of the rule by which it splits text into words.

    :raises ValueError: when llama.cpp has no such kind or rule.
    """
    if data["model"].get("byte_fallback"):
        return "gemma4", "gemma4"
    pre_tokenizer = data["pre_tokenizer"]
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    patterns = [step["pattern"].get("Regex") for step in steps if step["type"] == "Split"]
    if steps[-1]["type"] == "ByteLevel" and not steps[-1].get("use_regex") and patterns[0] in WORD_RULES:
        return "gpt2", WORD_RULES[patterns[0]]
    if [step["type"] for step in steps] == ["Digits", "ByteLevel"]:
        return "gpt2", "smollm"
    if [step["type"] for step in steps] == ["ByteLevel"]:
        return "gpt2", "gpt-2"
    raise ValueError("llama.cpp has no rule that splits text as this tokenizer does")


def _write(file: GGUFWriter, tensors: Iterable[tuple[str, np.ndarray]], dtype: Dtype) -> None:
    for name, tensor in tensors:
        is_half = dtype == "f16" and tensor.ndim > 1 and not any(part in name for part in SINGLE_PRECISION)
        kind = np.float16 if is_half else np.float32
        raw_type = GGMLQuantizationType.F16 if is_half else GGMLQuantizationType.F32
        file.add_tensor(name, np.ascontiguousarray(tensor, dtype=kind), raw_dtype=raw_type)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


if __name__ == "__main__":
    for path in export(Path(sys.argv[1]), Path(sys.argv[2])):
        print(path)
