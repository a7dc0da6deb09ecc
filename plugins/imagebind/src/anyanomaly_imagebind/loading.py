"""A file of ImageBind's weights to the image and text towers of open_clip, which compute the same."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import open_clip
import torch
from anyanomaly_openclip.loading import Loaded
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from open_clip.transform import PreprocessCfg, image_transform_v2

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly_imagebind.keys import towers
from anyanomaly_imagebind.options import ImageBindOptions

NAME = "imagebind_huge"
URL = "https://dl.fbaipublicfiles.com/imagebind/imagebind_huge.pth"
NORM = {"eps": 1e-6}


def load_model(options: ImageBindOptions) -> Loaded:
    """Load what ``options`` name, on the CPU in float32.

    :raises UsageError: for a file that does not hold ImageBind, or heads that do not fit it.
    :raises MissingRequirement: when the weights are not there.
    """
    path = _file(options.model)
    state = towers(_read(path), str(path))
    side = _side(state, str(path))
    model = _model(state, side, options)
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        detail = str(error).strip().split("\n")[-1].strip()
        raise UsageError(f"The weights in {path} do not fit together: {detail} Get the file anew.") from error
    # The state has no mask: it says what text may look at, and the model was made without memory of its own.
    length = model.context_length
    model.attn_mask = torch.full((length, length), float("-inf")).triu(1)
    cfg = PreprocessCfg(size=side)
    transform = image_transform_v2(cfg, is_train=False)
    tokenize = open_clip.SimpleTokenizer(context_length=length)
    return Loaded(model.eval().requires_grad_(False), transform, tokenize, tuple(cfg.mean), tuple(cfg.std))


def _file(model: str) -> Path:
    """Return the file of weights, downloaded when it is the published one and not here yet."""
    path = Path(model).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        if (inside := path / f"{NAME}.pth").is_file():
            return inside
        raise UsageError(f"The folder {model!r} holds no {NAME}.pth. Give the file of ImageBind's weights.")
    if model != NAME:
        raise MissingRequirement(f"There is no file {model!r}. Give the path of {NAME}.pth, which {URL} has.")
    path = Path(torch.hub.get_dir()) / "checkpoints" / f"{NAME}.pth"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(URL, str(path), progress=sys.stderr.isatty())
        except OSError as error:
            raise MissingRequirement(
                f"ImageBind's weights (4.8 GB) are not on this machine and could not be downloaded: {error}. Get {URL} "
                f"where there is a network, and give it as --encoder.model FILE."
            ) from error
    return path


def _read(path: Path) -> dict[str, Any]:
    """Return the tensors of a file, which stay there until they are used; no code in it is run."""
    if not zipfile.is_zipfile(path):
        raise UsageError(f"The file {path} holds no weights, or not all of them. Get {URL} anew.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"The file {path} holds code or other things than weights, so nothing of it was used. Get {URL} anew."
        ) from error
    except (RuntimeError, OSError, ValueError) as error:
        raise UsageError(f"The file {path} cannot be read as weights: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict):
        raise UsageError(f"The file {path} holds no weights by name. Give ImageBind's {NAME}.pth.")
    return state


def _side(state: dict[str, torch.Tensor], path: str) -> int:
    """Return the side of the square images that the towers take, in pixels."""
    positions, patch = len(state["visual.positional_embedding"]) - 1, state["visual.conv1.weight"].shape[-1]
    side = round(positions**0.5)
    if side * side != positions:
        raise UsageError(f"The weights in {path} do not fit together: {positions} patches are no square.")
    return int(side * patch)


def _model(state: dict[str, torch.Tensor], side: int, options: ImageBindOptions) -> CLIP:
    """Return towers of the sizes of ``state``, without memory for their weights."""
    visual, text = state["visual.conv1.weight"], state["token_embedding.weight"]
    for width, heads, tower in (
        (len(visual), options.vision_heads, "vision"),
        (text.shape[1], options.text_heads, "text"),
    ):
        if width % heads:
            raise UsageError(f"A width of {width} has no {heads} heads. Change --encoder.{tower}-heads.")
    with torch.device("meta"):
        return CLIP(
            state["text_projection"].shape[1],
            CLIPVisionCfg(
                layers=_layers(state, "visual.transformer.resblocks."),
                width=len(visual),
                head_width=len(visual) // options.vision_heads,
                mlp_ratio=len(state["visual.transformer.resblocks.0.mlp.c_fc.weight"]) / len(visual),
                patch_size=visual.shape[-1],
                image_size=side,
                norm_kwargs=NORM,
            ),
            CLIPTextCfg(
                context_length=len(state["positional_embedding"]),
                vocab_size=len(text),
                width=text.shape[1],
                heads=options.text_heads,
                layers=_layers(state, "transformer.resblocks."),
                mlp_ratio=len(state["transformer.resblocks.0.mlp.c_fc.weight"]) / text.shape[1],
                norm_kwargs=NORM,
            ),
        )


def _layers(state: dict[str, torch.Tensor], start: str) -> int:
    return 1 + max(int(name.removeprefix(start).partition(".")[0]) for name in state if name.startswith(start))
