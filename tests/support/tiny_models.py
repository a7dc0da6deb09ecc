"""Tiny random checkpoints of real architectures: seeded, made in seconds, loaded like published ones.

``python -m tests.support.tiny_models NAME FOLDER`` writes one. NAME is one of ``MODELS``
(a vision-language model with processor, tokenizer and chat template) or ``clip`` (an open_clip model).
The answers of such a model mean nothing; the tests need that it loads, answers, and repeats its answers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.tiny_tokenizers import byte_tokenizer, chat_template, metaspace_tokenizer

SCALE = 0.15  # standard deviation of the weights: large enough that images and words change the answer


def _text(tokenizer: Any, **changes: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,  # 32 wide each: vLLM's attention on a CPU takes no narrower ones
        "num_key_value_heads": 1,
        "max_position_embeddings": 4096,
        "initializer_range": SCALE,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    } | changes


def _vision(**changes: Any) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
        "initializer_range": SCALE,
    } | changes


QWEN_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"


def _qwen_ids(tokenizer: Any) -> dict[str, int]:
    names = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    tokens = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    pairs = zip(names, tokens, strict=True)
    return {f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in pairs}


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
        text_config=_text(tokenizer, rope_parameters=rope, **(text or {})),
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
        text_config=_text(tokenizer, head_dim=32, rope_parameters=rope),
        vision_config=vision
        | {"num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1], "initializer_range": SCALE},
        **_qwen_ids(tokenizer),
    )
    return Qwen3VLForConditionalGeneration(config), processor


def idefics3() -> tuple[Any, Any]:
    """Idefics3, which SmolVLM follows: an image is cut into tiles; images are nested per question, padded."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    special_tokens = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *tiles]
    tokenizer = byte_tokenizer(special_tokens, digits=False)
    processor = Idefics3Processor(
        Idefics3ImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        tokenizer,
        image_seq_len=4,
        chat_template=chat_template("<image>"),
    )
    config = Idefics3Config(
        text_config=_text(tokenizer, model_type="llama"),
        vision_config=_vision(),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    return Idefics3ForConditionalGeneration(config), processor


def internvl() -> tuple[Any, Any]:
    """InternVL3: tiles of one size, a Qwen2 text model."""
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = byte_tokenizer(tuple(named.values()), named)
    size = {"height": 56, "width": 56}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size=size, crop_to_patches=True, max_patches=4),
        tokenizer,
        InternVLVideoProcessor(size=size),
        image_seq_length=4,
        chat_template=chat_template("<IMG_CONTEXT>"),
    )
    config = InternVLConfig(
        text_config=_text(tokenizer, model_type="qwen2"),
        vision_config=_vision(image_size=[56, 56], patch_size=[14, 14]),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    return InternVLForConditionalGeneration(config), processor


def gemma3() -> tuple[Any, Any]:
    """Gemma 3: sliding-window layers, and images whose tokens see each other."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3ImageProcessor, Gemma3Processor

    named = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    tokenizer = metaspace_tokenizer(tuple(named.values()), named)
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer,
        chat_template=chat_template("<start_of_image>"),
        image_seq_length=4,
    )
    ids = {f"{name}_index": tokenizer.convert_tokens_to_ids(token) for name, token in named.items()}
    layers = ["sliding_attention", "full_attention"]
    config = Gemma3Config(
        text_config=_text(tokenizer, head_dim=16, sliding_window=32, layer_types=layers, query_pre_attn_scalar=16),
        vision_config=_vision(),
        mm_tokens_per_image=4,
        **ids,
    )
    return Gemma3ForConditionalGeneration(config), processor


def llava() -> tuple[Any, Any]:
    """LLaVA 1.5: a CLIP vision tower, a two-layer projector, a LLaMA text model."""
    from transformers import CLIPImageProcessor, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = metaspace_tokenizer(["<image>"])
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=chat_template("<image>"),
        num_additional_image_tokens=1,
    )
    config = LlavaConfig(
        text_config=_text(tokenizer, model_type="llama"),
        vision_config=_vision(model_type="clip_vision_model"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    return LlavaForConditionalGeneration(config), processor


ARCHITECTURES: dict[str, Callable[[], tuple[Any, Any]]] = {
    make.__name__: make for make in (qwen2_5_vl, qwen3_vl, idefics3, internvl, gemma3, llava)
}
MODELS = ARCHITECTURES | {make.__name__: make for make in (qwen2_5_vl_wide, qwen2_5_vl_of_64)}


def make_model(architecture: str, folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint of ``architecture``, a name of ``MODELS``, into ``folder`` and return the folder."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, processor = MODELS[architecture]()
        for weights in model.parameters():
            if weights.ndim > 1 and not weights.any():  # Gemma's image projector starts at zero: it would see nothing
                torch.nn.init.normal_(weights, std=SCALE)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make_clip(folder: Path, seed: int = 0) -> Path:
    """Write a small CLIP with open_clip's own tokenizer as an open_clip folder and return the folder."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 224, "layers": 2, "width": 64, "head_width": 32, "patch_size": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.model.CLIP(**config)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    folder.mkdir(parents=True, exist_ok=True)
    description = {"model_cfg": config, "preprocess_cfg": {"mean": mean, "std": std}}
    (folder / "open_clip_config.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def main(arguments: Sequence[str]) -> None:
    """Write the checkpoint that the command line asks for."""
    if len(arguments) != 2 or arguments[0] not in (*MODELS, "clip"):
        sys.exit(f"usage: python -m tests.support.tiny_models {'|'.join((*MODELS, 'clip'))} FOLDER")
    name, folder = arguments[0], Path(arguments[1])
    print(make_clip(folder) if name == "clip" else make_model(name, folder))


if __name__ == "__main__":
    main(sys.argv[1:])
