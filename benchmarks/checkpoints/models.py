"""The models of table S4 and the GGUF model: their published sizes, and the files in which they are published.

Sizes are those of the published configurations; what could not be compared with the published files is a memory of
them (docs/benchmarks.md). ``half`` is a model of about half a billion weights, ``tiny`` one of a few million.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmarks.checkpoints.files import Tensor, tensors_of, write_pickle, write_safetensors, write_shards
from benchmarks.checkpoints.vocabularies import CHAT, QWEN_BASE, QWEN_SPECIAL, llama3, qwen, write_sentencepiece

Size = Literal["tiny", "half", "full"]
GB = 10**9
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A written checkpoint, and what it takes to compare a run of it with the machine."""

    options: dict[str, Any]  # of the backend, without precision and device
    layers: int  # weights of the language model that each token passes: the matrices of its layers
    head: int  # weights of the matrix that gives the next token
    tower: int  # weights of the matrices that each patch of an image passes
    patches: int  # of a picture of 224x224 pixels
    bits: float | None = None  # per weight of the layers in the file; None: as the backend loads them

    def operations(self, n_tokens: int) -> float:
        """Return the multiplications and additions of a prefill of ``n_tokens`` tokens with one picture."""
        return 2.0 * (self.layers * n_tokens + self.head + self.tower * self.patches)


@dataclass(frozen=True, slots=True)
class Model:
    """A row: the backend that runs it, its published size, and the function that writes it."""

    label: str
    backend: str
    write: Callable[[Path, Size], Checkpoint]
    plugin: str  # distribution of the backend
    image_tokens: int  # of a picture of 224x224 pixels
    n_bytes: float = field(default=0.0)  # of the published files, for the check of free space
    dtypes: tuple[str, ...] = ("bfloat16", "float32", "4bit")


def _sizes(size: Size, full: Mapping[str, int], **smaller: Any) -> dict[str, Any]:
    """Return the sizes of a LLaMA-like model; smaller ones keep heads of the published width."""
    if size == "full":
        return dict(full)
    width = {"tiny": 256, "half": 1024}[size]
    n_heads = width // 64
    return {
        **full,
        "hidden_size": width,
        "intermediate_size": width * 4,
        "num_hidden_layers": {"tiny": 2, "half": 12}[size],
        "num_attention_heads": n_heads,
        "num_key_value_heads": n_heads if full["num_key_value_heads"] == full["num_attention_heads"] else n_heads // 2,
        **({"vocab_size": smaller.pop("tiny_vocabulary", 1024)} if size == "tiny" else {}),
        **smaller,
    }


LLAMA_7B = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 32000,
}
LLAMA3_8B = {**LLAMA_7B, "intermediate_size": 14336, "num_key_value_heads": 8, "vocab_size": 128_256}
CLIP_L = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
SMALL_TOWER = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 2}
QWEN = {
    "3b": {
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "vocab_size": 151_936,
    },
    "7b": {
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152_064,
    },
}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _on_meta(make: Callable[[], Any]) -> Any:
    import torch

    with torch.device("meta"):
        return make()


def _llama_tensors(config: Mapping[str, Any], dtype: str, prefix: str = "") -> list[Tensor]:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {name: value for name, value in config.items() if name in LLAMA_7B}
    return tensors_of(_on_meta(lambda: LlamaForCausalLM(LlamaConfig(**sizes))), dtype, prefix)


def matrices(tensors: Iterable[Tensor]) -> int:
    """Return the number of weights in matrices and kernels."""
    return sum(math.prod(tensor.shape) for tensor in tensors if len(tensor.shape) > 1)


def _counts(language: Iterable[Tensor], tower: Iterable[Tensor]) -> dict[str, int]:
    named = {tensor.name: tensor for tensor in language}
    embeddings = next(tensor for name, tensor in named.items() if name.endswith("embed_tokens.weight"))
    head = next((tensor for name, tensor in named.items() if name.endswith("lm_head.weight")), embeddings)
    layers = [tensor for tensor in named.values() if ".layers." in tensor.name]
    positions = ("position_embedding", "pos_embed", "cls_token")
    blocks = [tensor for tensor in tower if not any(part in tensor.name for part in positions)]
    return {"layers": matrices(layers), "head": matrices([head]), "tower": matrices(blocks)}


def _write_clip(folder: Path, size: Size, side: int) -> list[Tensor]:
    """Write a CLIP as OpenAI publishes it, with its text encoder, in single precision; return the image tower."""
    from transformers import CLIPConfig, CLIPModel

    tower = CLIP_L if size == "full" else SMALL_TOWER
    text = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    if size != "full":
        text = SMALL_TOWER
    vision = tower | {"image_size": side, "patch_size": 14, "hidden_act": "quick_gelu", "projection_dim": 768}
    text = text | {"hidden_act": "quick_gelu", "projection_dim": 768, "vocab_size": 49408}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=768)
    _write_json(
        folder / "config.json",
        {
            "architectures": ["CLIPModel"],
            "model_type": "clip",
            "projection_dim": 768,
            "torch_dtype": "float32",
            "text_config": text | {"model_type": "clip_text_model"},
            "vision_config": vision | {"model_type": "clip_vision_model"},
        },
    )
    preprocessing = {"crop_size": side, "size": side, "resample": 3, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}
    switches = {"do_center_crop": True, "do_normalize": True, "do_resize": True}
    kind = {"feature_extractor_type": "CLIPFeatureExtractor"}
    _write_json(folder / "preprocessor_config.json", preprocessing | switches | kind)
    tensors = tensors_of(_on_meta(lambda: CLIPModel(config)), "F32")
    write_safetensors(folder / "model.safetensors", tensors)
    return [tensor for tensor in tensors if tensor.name.startswith("vision_model.")]


def _write_generation(folder: Path, bos: int, eos: int | list[int]) -> None:
    _write_json(folder / "generation_config.json", {"bos_token_id": bos, "eos_token_id": eos})


LLAMA_DETAILS = {
    "max_position_embeddings": 4096,
    "rms_norm_eps": 1e-05,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "use_cache": True,
    "rope_scaling": None,
    "pretraining_tp": 1,
}
LLAMA_TOKENS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
LLAVA_DETAILS = {
    "mm_vision_select_layer": -2,
    "mm_vision_select_feature": "patch",
    "mm_use_im_start_end": False,
    "mm_use_im_patch_token": False,
    "tune_mm_mlp_adapter": False,
    "freeze_mm_mlp_adapter": False,
    "use_mm_proj": True,
}


def write_chat_univi(folder: Path, size: Size) -> Checkpoint:
    """Write Chat-UniVi 7B: LLaMA and projector in two files of ``torch.save``, and the CLIP beside them."""
    root = folder / "Chat-UniVi"
    sizes = _sizes(size, LLAMA_7B)
    clip = "openai/clip-vit-large-patch14"
    tower = _write_clip(folder / clip, size, 224)
    width = (CLIP_L if size == "full" else SMALL_TOWER)["hidden_size"]
    rates = {"spatial_cluster_rate0": 64, "spatial_cluster_rate1": 32, "spatial_cluster_rate2": 16}
    clusters = rates | {"temporal_cluster_rate": 0.0625}
    training = {"use_cluster": True, "freeze": False, "mm_tune": True, "vision_tune": False}
    _write_json(
        root / "config.json",
        {
            "architectures": ["ChatUniViLlamaForCausalLM"],
            "model_type": "ChatUniVi",
            "torch_dtype": "bfloat16",
            **sizes,
            **LLAMA_DETAILS,
            **LLAMA_TOKENS,
            **LLAVA_DETAILS,
            "mm_vision_tower": clip,
            "mm_hidden_size": width,
            "image_aspect_ratio": "square",
            "config": training | clusters,
        },
    )
    _write_generation(root, 1, 2)
    write_sentencepiece(root, sizes["vocab_size"])
    language = _llama_tensors(sizes, "BF16")
    hidden = sizes["hidden_size"]
    projector = [
        Tensor("model.mm_projector.weight", (hidden, width), "BF16"),
        Tensor("model.mm_projector.bias", (hidden,), "BF16"),
    ]
    copies = [tensor._replace(name=f"model.vision_tower.vision_tower.{tensor.name}", dtype="BF16") for tensor in tower]
    write_shards(root, [*language, *projector, *copies], 10 * GB, pickles=True)
    return Checkpoint({"model": str(root)}, **_counts(language, tower), patches=257)


def write_minigpt4(folder: Path, size: Size) -> Checkpoint:
    """Write MiniGPT-4: LLaMA-2 7B chat in two files, the EVA tower, and the projection."""
    root = folder / "Llama-2-7b-chat-hf"
    sizes = _sizes(size, LLAMA_7B)
    kind = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float16"}
    _write_json(root / "config.json", kind | sizes | LLAMA_DETAILS | LLAMA_TOKENS)
    _write_generation(root, 1, 2)
    write_sentencepiece(root, sizes["vocab_size"])
    language = _llama_tensors(sizes, "F16")
    write_shards(root, language, 10 * GB)
    width, mlp, depth, n_heads = (1408, 6144, 39, 16) if size == "full" else (128, 256, 3, 2)
    if size != "full":
        _write_json(folder / "fixture.json", {"vit": {"depth": depth, "num_heads": n_heads, "image_size": 224}})
    tower = eva_tensors(width, mlp, depth)
    write_pickle(folder / "eva_vit_g.pth", [*tower, *_eva_block(width, mlp, depth), *_norm("norm", width, "F16")])
    projection = [
        Tensor("llama_proj.weight", (sizes["hidden_size"], 4 * width), "F32"),
        Tensor("llama_proj.bias", (sizes["hidden_size"],), "F32"),
    ]
    write_pickle(folder / "pretrained_minigpt4_llama2_7b.pth", projection, inside="model")
    return Checkpoint({"model": str(folder)}, **_counts(language, tower), patches=257)


def eva_tensors(width: int, mlp: int, depth: int) -> list[Tensor]:
    """Return the tensors of EVA's image tower that the model uses, in half precision."""
    patch = [
        Tensor("patch_embed.proj.weight", (width, 3, 14, 14), "F16"),
        Tensor("patch_embed.proj.bias", (width,), "F16"),
    ]
    tables = [Tensor("cls_token", (1, 1, width), "F16"), Tensor("pos_embed", (1, 257, width), "F16")]
    return [*tables, *patch, *(tensor for block in range(depth) for tensor in _eva_block(width, mlp, block))]


def _norm(name: str, width: int, dtype: str) -> list[Tensor]:
    return [Tensor(f"{name}.weight", (width,), dtype), Tensor(f"{name}.bias", (width,), dtype)]


def _eva_block(width: int, mlp: int, block: int) -> list[Tensor]:
    shapes: dict[str, tuple[int, ...]] = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "attn.q_bias": (width,),
        "attn.v_bias": (width,),
        "attn.qkv.weight": (3 * width, width),
        "attn.proj.weight": (width, width),
        "attn.proj.bias": (width,),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.fc1.weight": (mlp, width),
        "mlp.fc1.bias": (mlp,),
        "mlp.fc2.weight": (width, mlp),
        "mlp.fc2.bias": (width,),
    }
    return [Tensor(f"blocks.{block}.{name}", shape, "F16") for name, shape in shapes.items()]


def write_minicpm(folder: Path, size: Size) -> Checkpoint:
    """Write MiniCPM-Llama3-V 2.5 in seven files."""
    from anyanomaly_minicpm.vision import Vision
    from transformers import Idefics2VisionConfig

    root = folder / "MiniCPM-Llama3-V-2_5"
    n_base = 128_000 if size == "full" else 700
    sizes = _sizes(size, LLAMA3_8B, vocab_size=n_base + 256)
    tower_sizes = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "num_attention_heads": 16}
    if size != "full":
        tower_sizes = SMALL_TOWER
    vision = tower_sizes | {"image_size": 980, "patch_size": 14}
    special = {"bos_token_id": n_base, "eos_token_id": n_base + 1}
    _write_json(
        root / "config.json",
        {
            "version": "2.5",
            "architectures": ["MiniCPMV"],
            "model_type": "minicpmv",
            "torch_dtype": "float16",
            **sizes,
            **LLAMA_DETAILS,
            **special,
            "max_position_embeddings": 8192,
            "rope_theta": 500000.0,
            "batch_vision_input": True,
            "drop_vision_last_layer": False,
            "image_size": 448,
            "patch_size": 14,
            "query_num": 96,
            "slice_mode": True,
            "slice_config": {"max_slice_nums": 9, "patch_size": 14, "model_type": "minicpmv"},
            "vision_config": vision | {"model_type": "idefics2"},
        },
    )
    _write_generation(root, special["bos_token_id"], special["eos_token_id"])
    numbers = {"max_slice_nums": 9, "scale_resolution": 448, "patch_size": 14, "image_feature_size": 96, "version": 2.5}
    tokens = {"im_start": "<image>", "im_end": "</image>", "slice_start": "<slice>", "slice_end": "</slice>"}
    means = {"norm_mean": [0.5, 0.5, 0.5], "norm_std": [0.5, 0.5, 0.5]}
    _write_json(root / "preprocessor_config.json", numbers | tokens | means | {"unk": "<unk>"})
    boxes = ("<ref>", "</ref>", "<box>", "</box>", "<quad>", "</quad>", "<point>", "</point>")
    more = ("<unk>", "<image>", "</image>", *boxes, "<slice>", "</slice>")
    tokenizer = llama3(n_base, more, sizes["vocab_size"], pad_token="!", unk_token="<unk>")
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(root)
    language = _llama_tensors(sizes, "F16", "llm.")
    half = _on_meta(lambda: Vision(Idefics2VisionConfig(**vision), 96, sizes["hidden_size"]))
    images = tensors_of(half, "F16")
    write_shards(root, [*language, *images], int(2.5 * GB))
    tower = [tensor for tensor in images if tensor.name.startswith("vpm.")]
    return Checkpoint({"model": str(root)}, **_counts(language, tower), patches=1024)


def write_llava_pp(folder: Path, size: Size) -> Checkpoint:
    """Write LLaVA++ with LLaMA-3 8B in four files, and the CLIP beside it."""
    root = folder / "LLaVA-Meta-Llama-3-8B-Instruct-FT"
    clip = "openai/clip-vit-large-patch14-336"
    tower = _write_clip(folder / clip, size, 336)
    width = (CLIP_L if size == "full" else SMALL_TOWER)["hidden_size"]
    n_base = 128_000 if size == "full" else 700
    sizes = _sizes(size, LLAMA3_8B) | {"vocab_size": n_base + 257}
    special = {"bos_token_id": n_base, "eos_token_id": n_base + 1}
    _write_json(
        root / "config.json",
        {
            "architectures": ["LlavaLlamaForCausalLM"],
            "model_type": "llava_llama",
            "torch_dtype": "bfloat16",
            **sizes,
            **LLAMA_DETAILS,
            **LLAVA_DETAILS,
            **special,
            "rope_theta": 500000.0,
            "mm_vision_tower": clip,
            "mm_hidden_size": width,
            "mm_projector_type": "mlp2x_gelu",
            "image_aspect_ratio": "pad",
            "unfreeze_mm_vision_tower": False,
        },
    )
    _write_generation(root, n_base, [n_base + 1, n_base + 9])
    tokenizer = llama3(n_base, (), sizes["vocab_size"], pad_token="<pad>")
    tokenizer.save_pretrained(root)
    language = _llama_tensors(sizes, "BF16")
    hidden = sizes["hidden_size"]
    projector = [
        Tensor("model.mm_projector.0.weight", (hidden, width), "BF16"),
        Tensor("model.mm_projector.0.bias", (hidden,), "BF16"),
        Tensor("model.mm_projector.2.weight", (hidden, hidden), "BF16"),
        Tensor("model.mm_projector.2.bias", (hidden,), "BF16"),
    ]
    write_shards(root, [*language, *projector], 5 * GB)
    return Checkpoint({"model": str(root)}, **_counts(language, tower), patches=577)


def qwen_config(variant: str, size: Size) -> dict[str, Any]:
    """Return the configuration of Qwen2.5-VL in the published form; its vocabulary is smaller only in ``tiny``."""
    full = QWEN[variant]
    n_base = QWEN_BASE if size != "tiny" else 700
    sizes = _sizes(size, full, vocab_size=full["vocab_size"] if size != "tiny" else 1024)
    ids = {name: n_base + number for number, name in enumerate(QWEN_SPECIAL)}
    vision = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}
    attention = {"fullatt_block_indexes": [7, 15, 23, 31], "window_size": 112}
    if size != "full":
        vision = {"depth": 4, "hidden_size": 128, "intermediate_size": 256, "num_heads": 2}
        attention["fullatt_block_indexes"] = [1, 3]
    head_width = sizes["hidden_size"] // sizes["num_attention_heads"]
    first = head_width // 8
    sections = [first, (head_width // 2 - first) // 2, (head_width // 2 - first) // 2]
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "torch_dtype": "bfloat16",
        **sizes,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": 128_000,
        "max_window_layers": sizes["num_hidden_layers"],
        "rms_norm_eps": 1e-06,
        "rope_theta": 1_000_000.0,
        "rope_scaling": {"type": "mrope", "mrope_section": sections},
        "sliding_window": 32_768,
        "use_sliding_window": False,
        "tie_word_embeddings": variant == "3b",
        "use_cache": True,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_config": {
            **vision,
            **attention,
            "hidden_act": "silu",
            "in_chans": 3,
            "out_hidden_size": sizes["hidden_size"],
            "patch_size": 14,
            "spatial_patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
        },
    }


def qwen_tensors(config: Mapping[str, Any]) -> list[Tensor]:
    """Return the tensors of Qwen2.5-VL under their published names."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    model = _on_meta(lambda: Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig.from_dict(dict(config))))
    is_tied = config["tie_word_embeddings"]
    tensors = []
    for tensor in tensors_of(model, "BF16"):
        name = tensor.name.removeprefix("model.")
        if name.startswith("language_model."):
            name = f"model.{name.removeprefix('language_model.')}"
        if not (is_tied and name == "lm_head.weight"):
            tensors.append(tensor._replace(name=name))
    return tensors


def qwen_processor(size: Size) -> Any:
    """Return the processor of Qwen2.5-VL with the published limits of an image's area."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    pixels = {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 16384}
    tokenizer = qwen(QWEN_BASE if size != "tiny" else 700)
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(size=pixels),
        chat_template=tokenizer.chat_template,
    )


def write_qwen(folder: Path, size: Size, variant: str = "3b") -> Checkpoint:
    """Write Qwen2.5-VL in files of up to 4 GB."""
    root = folder / f"Qwen2.5-VL-{variant.upper()}-Instruct"
    config = qwen_config(variant, size)
    root.mkdir(parents=True)
    qwen_processor(size).save_pretrained(root)
    _write_json(root / "config.json", config)
    _write_generation(root, config["bos_token_id"], [config["eos_token_id"], config["bos_token_id"]])
    tensors = qwen_tensors(config)
    write_shards(root, tensors, 4 * GB)
    is_image = [tensor.name.startswith("visual.") for tensor in tensors]
    language = [tensor for tensor, image in zip(tensors, is_image, strict=True) if not image]
    tower = [tensor for tensor, image in zip(tensors, is_image, strict=True) if image]
    return Checkpoint({"model": str(root)}, **_counts(language, tower), patches=256)


def write_qwen_7b(folder: Path, size: Size) -> Checkpoint:
    """Write Qwen2.5-VL 7B."""
    return write_qwen(folder, size, "7b")


def write_qwen_gguf(folder: Path, size: Size) -> Checkpoint:
    """Write Qwen2.5-VL 3B as two GGUF files, the language model mostly in 4 bits (Q4_K_M)."""
    from benchmarks.checkpoints.gguf_files import write_gguf

    config = qwen_config("3b", size)
    tensors = qwen_tensors(config)
    language = [tensor for tensor in tensors if not tensor.name.startswith("visual.")]
    tower = [tensor for tensor in tensors if tensor.name.startswith("visual.")]
    folder.mkdir(parents=True, exist_ok=True)
    model, mmproj, bits = write_gguf(folder, config, language, tower, qwen_processor(size))
    options = {"model": str(model), "mmproj": str(mmproj)}
    return Checkpoint(options, **_counts(language, tower), patches=256, bits=bits)


MODELS = {
    "chat-univi": Model("Chat-UniVi 7B", "chat-univi", write_chat_univi, "anyanomaly-chatunivi", 112, 15.7 * GB),
    "minigpt4": Model("MiniGPT-4 7B", "minigpt4", write_minigpt4, "anyanomaly-minigpt4", 64, 15.7 * GB),
    "minicpm-v": Model("MiniCPM-V 2.5 8B", "minicpm-v", write_minicpm, "anyanomaly-minicpm", 96, 17.2 * GB),
    "llava-pp": Model("LLaVA++ 8B", "llava-pp", write_llava_pp, "anyanomaly-llavapp", 576, 17.9 * GB),
    "qwen-hf": Model("Qwen2.5-VL 3B, transformers", "qwen-hf", write_qwen, "anyanomaly-transformers", 64, 7.6 * GB),
    "qwen-vllm": Model(
        "Qwen2.5-VL 3B, vLLM", "qwen-vllm", write_qwen, "anyanomaly-vllm", 64, 7.6 * GB, dtypes=("bfloat16", "float32")
    ),
    "qwen-vllm-7b": Model(
        "Qwen2.5-VL 7B, vLLM",
        "qwen-vllm-7b",
        write_qwen_7b,
        "anyanomaly-vllm",
        64,
        16.7 * GB,
        dtypes=("bfloat16", "float32"),
    ),
    "qwen-gguf": Model(
        "Qwen2.5-VL 3B, llama.cpp", "qwen-gguf", write_qwen_gguf, "anyanomaly-llamacpp", 64, 3.4 * GB, dtypes=("4bit",)
    ),
}
"""Rows of table S4, and that of llama.cpp, by the names of their backends."""
