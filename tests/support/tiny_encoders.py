"""Tiny random image-text encoders in today's architectures: seeded, made in seconds, loaded like published ones.

The settings that make an architecture (pooling, attention masks, activations, preprocessing, tokenizer) are those of
open_clip's own configuration of the published model. Only widths, depths and vocabularies are smaller.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCALE = 0.15  # standard deviation of the weights: large enough that images and texts change the vectors
CORPUS = (
    "a photo of a bicycle on the street.",
    "a person is running",
    "自行车 街上的人在奔跑",
    "رجل يركض في الشارع",
    "एक आदमी सड़क पर दौड़ रहा है",
    "Fahrrad, Auto, vélo, coche",
)

# published name and tag, timm architecture and its smaller sizes (None: a tower of open_clip)
ARCHITECTURES: dict[str, tuple[str, str, str | None, dict[str, Any]]] = {
    "siglip2": (
        "ViT-B-32-SigLIP2-256",
        "webli",
        "vit_base_patch32_siglip_256",
        {"img_size": 256, "embed_dim": 64, "depth": 2, "num_heads": 2},
    ),
    "pe-core": (
        "PE-Core-T-16-384",
        "meta",
        "vit_pe_core_tiny_patch16_384",
        {"img_size": 384, "patch_size": 32, "embed_dim": 64, "depth": 2, "num_heads": 2, "attn_pool_num_heads": 2},
    ),
    "mobileclip2": (
        "MobileCLIP2-S0",
        "dfndr2b",
        "fastvit_mci0",
        {"layers": [1, 1, 1, 1], "embed_dims": [8, 16, 32, 64]},
    ),
    "mobileclip2-b": ("MobileCLIP2-B", "dfndr2b", "vit_base_mci_224", {"depth": 1}),
    "metaclip2": ("ViT-H-14-worldwide-quickgelu", "metaclip2_worldwide", None, {}),
}


def make_encoder(architecture: str, folder: Path, seed: int = 0) -> Path:
    """Write an encoder of ``ARCHITECTURES`` as an open_clip folder and return the folder."""
    import open_clip
    import torch
    from open_clip.model import CLIP, CustomTextCLIP
    from safetensors.torch import save_file

    name, tag, timm_name, sizes = ARCHITECTURES[architecture]
    config = open_clip.get_model_config(name)
    folder.mkdir(parents=True, exist_ok=True)
    config["embed_dim"] = 64
    config["text_cfg"] |= {"width": 32, "heads": 2, "layers": 2}
    if config["text_cfg"].get("hf_tokenizer_name"):
        tokenizer = xlm_tokenizer() if architecture == "metaclip2" else gemma_tokenizer()
        tokenizer.save_pretrained(folder)
        config["text_cfg"]["vocab_size"] = len(tokenizer)
    if timm_name:
        tower = folder / "tower"
        tower.mkdir()
        description = {"architecture": timm_name, "model_args": sizes, "pretrained_cfg": {"architecture": timm_name}}
        (tower / "config.json").write_text(json.dumps(description))
        config["vision_cfg"]["timm_model_name"] = f"local-dir:{tower}"
    else:
        config["vision_cfg"] |= {"layers": 2, "width": 64, "head_width": 32, "patch_size": 32}
    preprocess = {
        key: value
        for key, value in open_clip.get_pretrained_cfg(name, tag).items()
        if key in {"mean", "std", "interpolation", "resize_mode"}
    }
    description = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(description, indent=2))
    arguments = {key: value for key, value in config.items() if key != "custom_text"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = (CustomTextCLIP if config.get("custom_text") else CLIP)(**arguments)
        randomize(model)
    save_file(
        {key: value.contiguous() for key, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    return folder


def make_metaclip2(folder: Path, *, activation: str = "quick_gelu", seed: int = 0) -> Path:
    """Write a MetaCLIP 2 in transformers' layout and return the folder."""
    import torch
    from transformers import CLIPImageProcessor, MetaClip2Config, MetaClip2Model

    tokenizer = xlm_tokenizer()
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_act": activation, "projection_dim": 48}
    config = MetaClip2Config(
        text_config=sizes
        | {
            "hidden_size": 32,
            "intermediate_size": 64,
            "vocab_size": len(tokenizer),
            "eos_token_id": 2,
            "bos_token_id": 0,
        },
        vision_config=sizes | {"hidden_size": 64, "intermediate_size": 128, "patch_size": 32, "image_size": 224},
        projection_dim=48,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MetaClip2Model(config)
        randomize(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return folder


def randomize(model: Any) -> None:
    """Give matrices, and the statistics of batch norms, values that change what the model computes."""
    import torch

    for name, weights in model.named_parameters():
        if weights.ndim == 4:  # a signal through many convolutions neither vanishes nor explodes
            torch.nn.init.kaiming_normal_(weights)
        elif name.endswith("gamma"):  # FastViT's scale of a layer, which starts near zero
            torch.nn.init.constant_(weights, 0.5)
        elif weights.ndim > 1:
            torch.nn.init.normal_(weights, std=SCALE)
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.normal_(module.running_mean, std=SCALE)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)


def gemma_tokenizer() -> Any:
    """Return a tokenizer like SigLIP 2's: BPE with bytes for unknown characters, an end token, padding at the right."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import GemmaTokenizer

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    tokens = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=600, special_tokens=tokens, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    return GemmaTokenizer(
        vocab=model["vocab"],
        merges=[tuple(pair) for pair in model["merges"]],
        add_bos_token=False,
        add_eos_token=True,
        padding_side="right",
        model_max_length=64,
    )


def xlm_tokenizer() -> Any:
    """Return a tokenizer like MetaCLIP 2's: pieces of a Unigram model, between a start and an end token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import XLMRobertaTokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(
        CORPUS, trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>", show_progress=False)
    )
    vocab = [tuple(entry) for entry in json.loads(trained.to_str())["model"]["vocab"]]
    return XLMRobertaTokenizer(vocab=[*vocab, ("<mask>", 0.0)])


def make_resnet(folder: Path, seed: int = 0) -> Path:
    """Write a CLIP with a small ResNet and its attention pooling as an open_clip folder and return the folder."""
    import torch
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    config = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 128, "layers": [1, 1, 1, 1], "width": 8, "head_width": 32, "patch_size": None},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]}
    description = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(description, indent=2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = CLIP(**config)
        randomize(model)
    tensors = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder
