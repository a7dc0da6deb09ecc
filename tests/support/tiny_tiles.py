"""Tiny checkpoints of models that cut an image into tiles, and of LLaVA, which scales it to one size."""

from __future__ import annotations

from typing import Any

from tests.support.tiny_parts import text_sizes, vision_sizes
from tests.support.tiny_templates import chat_template, lfm2_template, smolvlm_template
from tests.support.tiny_tokenizers import LLAMA3_WORDS, byte_tokenizer, metaspace_tokenizer

IDEFICS_TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
IDEFICS_TOKENS = ("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *IDEFICS_TILES)


def idefics3() -> tuple[Any, Any]:
    """Idefics3, which SmolVLM follows: an image is cut into tiles; images are nested per question, padded."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    tokenizer = byte_tokenizer(IDEFICS_TOKENS, words="")
    processor = Idefics3Processor(
        Idefics3ImageProcessor(size={"longest_edge": 112}, max_image_size={"longest_edge": 56}),
        tokenizer,
        image_seq_len=4,
        chat_template=chat_template("<image>"),
    )
    config = Idefics3Config(
        text_config=text_sizes(tokenizer, model_type="llama"),
        vision_config=vision_sizes(),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    return Idefics3ForConditionalGeneration(config), processor


def smolvlm() -> tuple[Any, Any]:
    """SmolVLM2: Idefics3 with its own processor and conversation; the 256M and 500M models differ in sizes alone."""
    from transformers import (
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    tokenizer = byte_tokenizer(IDEFICS_TOKENS, words="", eos_token="<end_of_utterance>")
    size = {"size": {"longest_edge": 128}, "max_image_size": {"longest_edge": 64}}
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(**size),
        tokenizer,
        SmolVLMVideoProcessor(**size, video_sampling={"fps": 1, "max_frames": 4, "video_size": {"longest_edge": 64}}),
        image_seq_len=4,
        chat_template=smolvlm_template(),
    )
    config = SmolVLMConfig(
        text_config=text_sizes(tokenizer, model_type="llama", head_dim=32),
        vision_config=vision_sizes(image_size=64, patch_size=16),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    return SmolVLMForConditionalGeneration(config), processor


def internvl(text: dict[str, Any] | None = None, **changes: Any) -> tuple[Any, Any]:
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
        text_config=text_sizes(tokenizer, **{"model_type": "qwen2"} | (text or {})),
        vision_config=vision_sizes(image_size=[56, 56], patch_size=[14, 14]),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        **changes,
    )
    return InternVLForConditionalGeneration(config), processor


def internvl3_5() -> tuple[Any, Any]:
    """InternVL3.5: InternVL3 with a Qwen3 text model."""
    return internvl({"model_type": "qwen3", "head_dim": 32}, tie_word_embeddings=False)


def lfm2_vl() -> tuple[Any, Any]:
    """LFM2-VL: images of any shape, large ones cut into tiles; short convolutions between the attention layers.

    Images are sized as the published models do, since llama.cpp has those sizes in its code.
    """
    from transformers import (
        Lfm2VlConfig,
        Lfm2VlForConditionalGeneration,
        Lfm2VlImageProcessor,
        Lfm2VlProcessor,
    )

    tiles = [f"<|img_row_{row}_col_{column}|>" for row in range(1, 11) for column in range(1, 11)]
    named = {
        "image_token": "<image>",
        "image_start_token": "<|image_start|>",
        "image_end_token": "<|image_end|>",
        "image_thumbnail": "<|img_thumbnail|>",
    }
    special_tokens = ("<|startoftext|>", *named.values(), *tiles)
    tokenizer = byte_tokenizer(special_tokens, named, words=LLAMA3_WORDS, bos_token="<|startoftext|>")
    text = {
        "num_hidden_layers": 4,
        "layer_types": ["conv", "full_attention", "conv", "full_attention"],
        "block_auto_adjust_ff_dim": False,
        "conv_dim": 64,  # these two for vLLM, as in published configurations
        "block_dim": 64,
    }
    config = Lfm2VlConfig(
        text_config=text_sizes(tokenizer, model_type="lfm2", tie_word_embeddings=True, **text),
        vision_config=vision_sizes(
            model_type="siglip2_vision_model", patch_size=16, num_patches=256, vision_use_head=False
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projector_hidden_size=64,
    )
    processor = Lfm2VlProcessor(Lfm2VlImageProcessor(), tokenizer, chat_template=lfm2_template())
    return Lfm2VlForConditionalGeneration(config), processor


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
        text_config=text_sizes(tokenizer, model_type="llama"),
        vision_config=vision_sizes(model_type="clip_vision_model"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    return LlavaForConditionalGeneration(config), processor
