"""Text models in llama.cpp's terms: hyper-parameters, and tensors under its names and in its layouts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGUFWriter, get_tensor_name_map

Weights = Mapping[str, np.ndarray]
Tensors = Iterator[tuple[str, np.ndarray]]


class TextModel:
    """A decoder whose tensors only change their names; a subclass changes layouts too.

    :param arch: the architecture in llama.cpp.
    """

    def __init__(self, arch: MODEL_ARCH) -> None:
        self.arch = arch

    def architecture(self, config: Any) -> str:
        """Return ``general.architecture``."""
        return MODEL_ARCH_NAMES[self.arch]

    def describe(self, file: GGUFWriter, config: Any) -> None:
        """Write the hyper-parameters of the checkpoint's configuration."""
        text = config.get_text_config()
        file.add_context_length(text.max_position_embeddings)
        file.add_embedding_length(text.hidden_size)
        file.add_block_count(text.num_hidden_layers)
        file.add_feed_forward_length(text.intermediate_size)
        file.add_head_count(text.num_attention_heads)
        file.add_head_count_kv(self.kv_heads(text))
        file.add_layer_norm_rms_eps(getattr(text, "rms_norm_eps", 0) or text.norm_eps)
        if head_dim := getattr(text, "head_dim", None):
            file.add_key_length(head_dim)
            file.add_value_length(head_dim)
        rope = text.rope_parameters
        if "rope_theta" in rope:
            file.add_rope_freq_base(rope["rope_theta"])
        if "mrope_section" in rope:
            file.add_rope_dimension_sections([*rope["mrope_section"], 0])  # time, row, column, and a fourth, unused

    def kv_heads(self, text: Any) -> int | list[int]:
        """Return the number of key-value heads, or that of each layer."""
        return int(text.num_key_value_heads)

    def tensors(self, weights: Weights, config: Any) -> Tensors:
        """Yield the text model's tensors under llama.cpp's names."""
        text = config.get_text_config()
        names = get_tensor_name_map(self.arch, text.num_hidden_layers)
        for key, tensor in _text_weights(weights):
            name = re.sub(r"^model\.(language_model|text_model)\.", "model.", key)
            for part, value in self.convert(name, tensor, text):
                if (target := names.get_name(part, try_suffixes=(".weight", ".bias"))) is None:
                    raise ValueError(f"llama.cpp has no name for tensor {part!r}")
                yield target, value

    def convert(self, name: str, tensor: np.ndarray, text: Any) -> Tensors:
        """Yield the tensor ``name`` in the layout of llama.cpp, still under a name of transformers."""
        yield name, tensor


def _text_weights(weights: Weights) -> Tensors:
    """Yield the text model's tensors; an output matrix that is the embedding again stays away, as llama.cpp expects."""
    embedding = next(tensor for key, tensor in weights.items() if key.endswith(".embed_tokens.weight"))
    for key, tensor in weights.items():
        is_output = key == "lm_head.weight" and not np.shares_memory(tensor, embedding)
        if is_output or re.match(r"model\.(language_model|text_model)\.", key):
            yield key, tensor


class Llama(TextModel):
    """Rotates neighbouring numbers of a head together, where transformers rotates those half a head apart."""

    def convert(self, name: str, tensor: np.ndarray, text: Any) -> Tensors:
        """Interleave the two halves of each head's rows."""
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            n_heads = text.num_attention_heads if "q_proj" in name else text.num_key_value_heads
            tensor = tensor.reshape(n_heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
        yield name, tensor


class Qwen3Vl(TextModel):
    """Vision features also enter the first layers."""

    def describe(self, file: GGUFWriter, config: Any) -> None:
        """Write how many layers take vision features."""
        super().describe(file, config)
        file.add_num_deepstack_layers(len(config.vision_config.deepstack_visual_indexes))


class Qwen35(TextModel):
    """Most layers are linear attention (a gated delta net), the others attention with a gate."""

    def describe(self, file: GGUFWriter, config: Any) -> None:
        """Write the sizes of linear attention and the layers that use it."""
        super().describe(file, config)
        text = config.get_text_config()
        file.add_ssm_conv_kernel(text.linear_conv_kernel_dim)
        file.add_ssm_state_size(text.linear_key_head_dim)
        file.add_ssm_group_count(text.linear_num_key_heads)
        file.add_ssm_time_step_rank(text.linear_num_value_heads)
        file.add_ssm_inner_size(text.linear_value_head_dim * text.linear_num_value_heads)
        recurrent = [kind == "linear_attention" for kind in text.layer_types]
        file.add_array("qwen35.attention.recurrent_layers", recurrent)
        file.add_rope_dimension_count(int(text.head_dim * text.rope_parameters.get("partial_rotary_factor", 0.25)))

    def convert(self, name: str, tensor: np.ndarray, text: Any) -> Tensors:
        """Shift norms by one, negate the decay, and order value heads as llama.cpp repeats the key heads."""
        key_rows = 2 * text.linear_num_key_heads * text.linear_key_head_dim

        def reorder(rows: np.ndarray) -> np.ndarray:
            grouped = rows.reshape(
                text.linear_num_key_heads, -1, len(rows) // text.linear_num_value_heads, *rows.shape[1:]
            )
            return grouped.swapaxes(0, 1).reshape(rows.shape)

        if ".linear_attn." not in name:
            tensor = tensor + 1 if name.endswith("norm.weight") else tensor
        elif name.endswith((".in_proj_qkv.weight", ".conv1d.weight")):
            tensor = tensor.reshape(len(tensor), -1)
            tensor = np.concatenate([tensor[:key_rows], reorder(tensor[key_rows:])])
        elif name.endswith((".in_proj_z.weight", ".in_proj_a.weight", ".in_proj_b.weight")):
            tensor = reorder(tensor)
        elif name.endswith(".A_log"):
            tensor = reorder(-np.exp(tensor))
        elif name.endswith(".dt_bias"):
            name, tensor = name.replace(".dt_bias", ".dt_proj.bias"), reorder(tensor)
        elif name.endswith(".out_proj.weight"):
            tensor = reorder(tensor.T).T
        yield name, tensor


class Lfm2(TextModel):
    """Most layers are short convolutions, the others attention."""

    def describe(self, file: GGUFWriter, config: Any) -> None:
        """Write the convolution's length."""
        super().describe(file, config)
        file.add_shortconv_l_cache(config.get_text_config().conv_L_cache)

    def kv_heads(self, text: Any) -> list[int]:
        """Return the number of key-value heads of each layer; 0: a convolution."""
        return [0 if kind == "conv" else text.num_key_value_heads for kind in text.layer_types]

    def convert(self, name: str, tensor: np.ndarray, text: Any) -> Tensors:
        """Remove the convolution kernels' axis of length 1."""
        yield name, tensor.squeeze(1) if ".conv.conv." in name else tensor


class Gemma4(TextModel):
    """Heads of two sizes, layers that share keys and values, embeddings for each layer."""

    def describe(self, file: GGUFWriter, config: Any) -> None:
        """Write the sizes of both kinds of heads, the window, and what layers share."""
        text = config.get_text_config()
        layers = list(text.per_layer_config)
        is_sliding = [kind == "sliding_attention" for kind in text.layer_types]
        sliding, full = layers[is_sliding.index(True)], layers[is_sliding.index(False)]
        n_own = len(layers) - text.num_kv_shared_layers  # layers with keys and values of their own
        wide = text.intermediate_size * (2 if text.use_double_wide_mlp else 1)
        file.add_context_length(text.max_position_embeddings)
        file.add_embedding_length(text.hidden_size)
        file.add_block_count(len(layers))
        file.add_feed_forward_length(
            [text.intermediate_size if index < n_own else wide for index in range(len(layers))]
        )
        file.add_head_count(text.num_attention_heads)
        file.add_head_count_kv([layer.num_key_value_heads for layer in layers])
        file.add_layer_norm_rms_eps(text.rms_norm_eps)
        file.add_key_length(full.head_dim)
        file.add_value_length(full.head_dim)
        file.add_key_length_swa(sliding.head_dim)
        file.add_value_length_swa(sliding.head_dim)
        file.add_rope_dimension_count(full.head_dim)
        file.add_rope_dimension_count_swa(sliding.head_dim)
        file.add_rope_freq_base(text.rope_parameters["full_attention"]["rope_theta"])
        file.add_rope_freq_base_swa(text.rope_parameters["sliding_attention"]["rope_theta"])
        file.add_sliding_window(text.sliding_window)
        file.add_sliding_window_pattern(is_sliding)
        file.add_shared_kv_layers(text.num_kv_shared_layers)
        file.add_embedding_length_per_layer_input(text.hidden_size_per_layer_input)
        if text.final_logit_softcapping:
            file.add_final_logit_softcapping(text.final_logit_softcapping)

    def tensors(self, weights: Weights, config: Any) -> Tensors:
        """Add the factors that leave most of a full layer's head without rotation."""
        yield from super().tensors(weights, config)
        text = config.get_text_config()
        half = text.per_layer_config[text.layer_types.index("full_attention")].head_dim // 2
        n_rotated = int(half * text.rope_parameters["full_attention"]["partial_rotary_factor"])
        yield "rope_freqs.weight", np.array([1.0] * n_rotated + [1e30] * (half - n_rotated))

    def convert(self, name: str, tensor: np.ndarray, text: Any) -> Tensors:
        """Name the scale of a layer as a tensor; copy the padding token's row to where llama.cpp reads it for images.

        The published models have the padding token there. The tiny ones have the unknown token, which no text needs.
        """
        if name.endswith("embed_tokens_per_layer.weight"):
            tensor = np.concatenate([tensor[[text.pad_token_id]], tensor[1:]])
        yield f"{name}.weight" if name.endswith("layer_scalar") else name, tensor


class Glm4(TextModel):
    """Rotates neighbouring numbers of half a head; with positions of several axes llama.cpp rotates distant ones."""

    def describe(self, file: GGUFWriter, config: Any) -> None:
        """Write how many numbers of a head are rotated."""
        super().describe(file, config)
        file.add_rope_dimension_count(self._n_rotated(config.get_text_config()))

    def convert(self, name: str, tensor: np.ndarray, text: Any) -> Tensors:
        """Take the rotated rows of each head apart: first the even ones, then the odd ones."""
        if "q_proj" in name or "k_proj" in name:
            head_dim, n_rotated = text.hidden_size // text.num_attention_heads, self._n_rotated(text)
            heads = tensor.reshape(-1, head_dim, *tensor.shape[1:])
            rotated, rest = heads[:, :n_rotated], heads[:, n_rotated:]
            tensor = np.concatenate([rotated[:, ::2], rotated[:, 1::2], rest], axis=1).reshape(tensor.shape)
        yield name, tensor

    @staticmethod
    def _n_rotated(text: Any) -> int:
        return int(text.hidden_size // text.num_attention_heads * text.rope_parameters["partial_rotary_factor"])


TEXT_MODELS: dict[str, TextModel] = {
    "llama": Llama(MODEL_ARCH.LLAMA),
    "qwen2": TextModel(MODEL_ARCH.QWEN2),
    "qwen3": TextModel(MODEL_ARCH.QWEN3),
    "qwen3_vl_text": Qwen3Vl(MODEL_ARCH.QWEN3VL),
    "qwen3_5_text": Qwen35(MODEL_ARCH.QWEN35),
    "lfm2": Lfm2(MODEL_ARCH.LFM2),
    "gemma4_text": Gemma4(MODEL_ARCH.GEMMA4),
    "glm4v_text": Glm4(MODEL_ARCH.GLM4),
}
