"""Tiny checkpoints of the Gemma models."""

from __future__ import annotations

from typing import Any

from tests.support.tiny_parts import text_sizes, token_ids, vision_sizes
from tests.support.tiny_templates import chat_template, gemma4_template
from tests.support.tiny_tokenizers import gemma_tokenizer, metaspace_tokenizer


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
        text_config=text_sizes(tokenizer, head_dim=16, sliding_window=32, layer_types=layers, query_pre_attn_scalar=16),
        vision_config=vision_sizes(),
        mm_tokens_per_image=4,
        **ids,
    )
    return Gemma3ForConditionalGeneration(config), processor


def gemma4(**changes: Any) -> tuple[Any, Any]:
    """Gemma 4 E2B: embeddings for each layer, layers that share keys and values, images of any shape; no audio."""
    from transformers import (
        Gemma4AudioFeatureExtractor,
        Gemma4Config,
        Gemma4ForConditionalGeneration,
        Gemma4ImageProcessor,
        Gemma4Processor,
        Gemma4VideoProcessor,
    )

    named = {
        "image_token": "<|image|>",
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "audio_token": "<|audio|>",
        "boa_token": "<|audio>",
        "eoa_token": "<audio|>",
    }
    special_tokens = ("<|turn>", "<turn|>", "<|think|>", "<|video|>", *named.values())
    tokenizer = gemma_tokenizer(special_tokens, named, bos_token="<bos>", eos_token="<turn|>", pad_token="<pad>")
    processor = Gemma4Processor(
        Gemma4AudioFeatureExtractor(),
        Gemma4ImageProcessor(max_soft_tokens=70),  # the fewest
        tokenizer,
        Gemma4VideoProcessor(max_soft_tokens=70),
        chat_template=gemma4_template(),
        image_seq_length=70,
    )
    text = {
        "num_hidden_layers": 4,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "num_kv_shared_layers": 2,  # the last ones use the keys and values of the first
        "use_double_wide_mlp": True,
        "head_dim": 32,
        "global_head_dim": 64,
        "sliding_window": 64,
        "hidden_size_per_layer_input": 32,
        "vocab_size_per_layer_input": len(tokenizer),
        "final_logit_softcapping": 30.0,
    } | changes
    vision = {"head_dim": 16, "num_key_value_heads": 2, "patch_size": 16, "position_embedding_size": 256}
    vision["default_output_length"] = 70  # for vLLM, as in published configurations
    tokens = {"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>", "video_token": "<|video|>"}
    config = Gemma4Config(
        text_config=text_sizes(tokenizer, **text),
        vision_config=vision_sizes(**vision, use_clipped_linears=True),
        **token_ids(tokenizer, **tokens, audio_token="<|audio|>", boa_token="<|audio>"),
        eoa_token_index=tokenizer.convert_tokens_to_ids("<audio|>"),
    )
    return Gemma4ForConditionalGeneration(config), processor


def gemma4_bidirectional() -> tuple[Any, Any]:
    """Gemma 4 whose image tokens see each other, as in large models; to llama.cpp any width but E2B's is one."""
    return gemma4(use_bidirectional_attention="vision")
