"""Load ImageBind's weights into image and text towers of open_clip, which compute the same vectors."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import open_clip
import torch
from anyanomaly_openclip.loading import LoadedModel
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.transform import PreprocessCfg, image_transform_v2

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly.kit import first_line, local_path
from anyanomaly_imagebind.keys import tower_weights
from anyanomaly_imagebind.options import ImageBindOptions

NAME = "imagebind_huge"
URL = "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth"
NORM = {"eps": 1e-6}


def load_model(options: ImageBindOptions) -> LoadedModel:
    """Return the towers that ``options`` name, on the CPU in float32.

    :raises UsageError: for a file that does not hold ImageBind, or a number of heads that does not fit it.
    :raises MissingRequirement: when the weights are not on this machine and cannot be downloaded.
    """
    path = _find_file(options.model)
    state = tower_weights(_read_state(path), str(path))
    side = _image_side(state, str(path))
    model = _build_model(state, side, options)
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        detail = str(error).strip().split("\n")[-1].strip()
        raise UsageError(f"The weights in {path} do not fit together: {detail} Download the file again.") from error
    # The weights hold no attention mask, and the model was built without memory, so the causal mask is made here.
    length = model.context_length
    model.attn_mask = torch.full((length, length), float("-inf")).triu(1)
    cfg = PreprocessCfg(size=side)
    preprocess = image_transform_v2(cfg, is_train=False)
    tokenize = open_clip.SimpleTokenizer(context_length=length)
    return LoadedModel(model.eval().requires_grad_(False), preprocess, tokenize, tuple(cfg.mean), tuple(cfg.std))


def _find_file(model: str) -> Path:
    """Return the file of weights. The published file is downloaded when it is not on this machine."""
    if path := local_path(model, is_name=model == NAME):
        if path.is_file():
            return path
        if (inside := path / f"{NAME}.pth").is_file():
            return inside
        raise UsageError(f"The folder {model!r} holds no {NAME}.pth. Give the file of ImageBind's weights.")
    if model != NAME:
        raise MissingRequirement(f"There is no file {model!r}. Give the path of {NAME}.pth, which is at {URL}.")
    path = Path(torch.hub.get_dir()) / "checkpoints" / f"{NAME}.pth"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(URL, str(path), progress=sys.stderr.isatty())
        except OSError as error:
            raise MissingRequirement(
                f"ImageBind's weights (4.8 GB) are not on this machine and could not be downloaded: {error}. Get {URL} "
                f"on a machine with a network, and give it as --encoder.model FILE."
            ) from error
    return path


def _read_state(path: Path) -> dict[str, Any]:
    """Return the tensors of a file. They are read from disk on first use; no code in the file is run."""
    if not zipfile.is_zipfile(path):
        raise UsageError(f"The file {path} holds no weights, or is incomplete. Download {URL} again.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"The file {path} holds code or other objects than weights, so it was not loaded. Download {URL} again."
        ) from error
    except (RuntimeError, OSError, ValueError) as error:
        raise UsageError(
            f"The file {path} cannot be read as weights: {first_line(error)}. Download {URL} again."
        ) from error
    if not isinstance(state, dict):
        raise UsageError(f"The file {path} holds no named weights. Give ImageBind's {NAME}.pth.")
    return state


def _image_side(state: dict[str, torch.Tensor], path: str) -> int:
    """Return the side in pixels of the square images that the image tower takes."""
    n_patches, patch_side = len(state["visual.positional_embedding"]) - 1, state["visual.conv1.weight"].shape[-1]
    patches_per_side = round(n_patches**0.5)
    if patches_per_side**2 != n_patches:
        raise UsageError(
            f"The weights in {path} do not fit together: {n_patches} patches form no square. Download the file again."
        )
    return int(patches_per_side * patch_side)


def _build_model(state: dict[str, torch.Tensor], side: int, options: ImageBindOptions) -> CLIP:
    """Return towers of the sizes of ``state``, without memory for their weights."""
    patch_kernel, token_embedding = state["visual.conv1.weight"], state["token_embedding.weight"]
    vision_width, text_width = len(patch_kernel), token_embedding.shape[1]
    for tower, width, n_heads in (
        ("vision", vision_width, options.vision_heads),
        ("text", text_width, options.text_heads),
    ):
        if width % n_heads:
            raise UsageError(
                f"The {tower} tower's width {width} cannot be divided into {n_heads} heads. "
                f"Change --encoder.{tower}-heads."
            )
    with torch.device("meta"):
        return CLIP(
            state["text_projection"].shape[1],
            CLIPVisionCfg(
                layers=_count_layers(state, "visual.transformer.resblocks."),
                width=vision_width,
                head_width=vision_width // options.vision_heads,
                mlp_ratio=len(state["visual.transformer.resblocks.0.mlp.c_fc.weight"]) / vision_width,
                patch_size=patch_kernel.shape[-1],
                image_size=side,
                norm_kwargs=NORM,
            ),
            CLIPTextCfg(
                context_length=len(state["positional_embedding"]),
                vocab_size=len(token_embedding),
                width=text_width,
                heads=options.text_heads,
                layers=_count_layers(state, "transformer.resblocks."),
                mlp_ratio=len(state["transformer.resblocks.0.mlp.c_fc.weight"]) / text_width,
                norm_kwargs=NORM,
            ),
        )


def _count_layers(state: dict[str, torch.Tensor], prefix: str) -> int:
    return 1 + max(int(name.removeprefix(prefix).partition(".")[0]) for name in state if name.startswith(prefix))
