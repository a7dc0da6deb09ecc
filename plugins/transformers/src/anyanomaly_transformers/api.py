"""The public interface of this package for other plugins; all other modules may change without notice.

Importing it imports neither torch nor transformers. Names by purpose::

    any image-text-to-text model   TransformersBackend, TransformersOptions
    a model of one's own           PrefixBackend, PrefixOptions, ClipTowerOptions, PrefixModel, ImageSlot
    its conversation               Profile, Decoding, encode_layout
    its files                      find_checkpoint, read_config, read_json, Tensors, read_tokenizer, llama_config
    its image tower                find_clip, ClipTower, Clip, clip_processor, pixel_values, vision_tensor_name
    weights into modules           build_empty, load_weights, check_weights, rename_tensors, load_language_model
    device and precision           resolve_device, resolve_dtype
    attention of older releases    register_attention with LLAMA_ATTENTION or CLIP_ATTENTION
    processors of transformers     render_prompt, encode_batch, refuse_special_tokens, choice_encoder, limit_pixels
    thinking and answers           thinking_fingerprint, decode_words
    messages                       translate_errors, quiet_logs

`anyanomaly_transformers.prefix` explains how a `PrefixModel` and the backend work together.
"""

from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.errors import translate_errors
from anyanomaly_transformers.loading import choice_encoder, quiet_logs, resolve_device, resolve_dtype
from anyanomaly_transformers.options import TransformersOptions
from anyanomaly_transformers.pixels import limit_pixels
from anyanomaly_transformers.prefix.attention import CLIP_ATTENTION, LLAMA_ATTENTION, register_attention
from anyanomaly_transformers.prefix.backend import PrefixBackend
from anyanomaly_transformers.prefix.checkpoint import Tensors, find_checkpoint, read_config, read_json
from anyanomaly_transformers.prefix.clip import (
    Clip,
    ClipTower,
    clip_processor,
    find_clip,
    pixel_values,
    vision_tensor_name,
)
from anyanomaly_transformers.prefix.llama import llama_config, read_tokenizer
from anyanomaly_transformers.prefix.loading import (
    build_empty,
    check_weights,
    load_language_model,
    load_weights,
    rename_tensors,
)
from anyanomaly_transformers.prefix.model import ImageSlot, PrefixModel
from anyanomaly_transformers.prefix.options import ClipTowerOptions, PrefixOptions
from anyanomaly_transformers.prefix.profiles import Decoding, Profile
from anyanomaly_transformers.prefix.prompts import encode_layout
from anyanomaly_transformers.prompts import (
    decode_words,
    encode_batch,
    refuse_special_tokens,
    render_prompt,
    thinking_fingerprint,
)

__all__ = [
    "CLIP_ATTENTION",
    "LLAMA_ATTENTION",
    "Clip",
    "ClipTower",
    "ClipTowerOptions",
    "Decoding",
    "ImageSlot",
    "PrefixBackend",
    "PrefixModel",
    "PrefixOptions",
    "Profile",
    "Tensors",
    "TransformersBackend",
    "TransformersOptions",
    "build_empty",
    "check_weights",
    "choice_encoder",
    "clip_processor",
    "decode_words",
    "encode_batch",
    "encode_layout",
    "find_checkpoint",
    "find_clip",
    "limit_pixels",
    "llama_config",
    "load_language_model",
    "load_weights",
    "pixel_values",
    "quiet_logs",
    "read_config",
    "read_json",
    "read_tokenizer",
    "refuse_special_tokens",
    "register_attention",
    "rename_tensors",
    "render_prompt",
    "resolve_device",
    "resolve_dtype",
    "thinking_fingerprint",
    "translate_errors",
    "vision_tensor_name",
]
