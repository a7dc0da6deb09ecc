"""Load a model with its preprocessing and its tokenizer; every failure gives a one-line error."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
import torch
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError
from open_clip.model import build_model_from_openai_state_dict
from open_clip.transform import PreprocessCfg, image_transform_v2

from anyanomaly.errors import AnyAnomalyError, MissingRequirement, UsageError
from anyanomaly.kit import local_path
from anyanomaly_openclip.metaclip2 import is_metaclip2, load_towers
from anyanomaly_openclip.options import HUB_SCHEME, OpenClipOptions
from anyanomaly_openclip.tokenizers import FOLDER_SCHEME, load_folder_tokenizer, load_tokenizer

OPEN_CLIP_CONFIG = "open_clip_config.json"
_OPENAI_KEY = "visual.conv1.weight"
_SETTINGS = ("mean", "std", "interpolation", "resize_mode", "quick_gelu")
"""Entries of open_clip's table of weights that change vectors."""


class LoadedModel(NamedTuple):
    """A model on the CPU in float32, with what its inputs need."""

    model: Any
    preprocess: Callable[[Any], torch.Tensor]  # a PIL image to (3, side, side), normalised with mean and std
    tokenize: Callable[[list[str]], torch.Tensor]  # n texts to token ids (n, context length)
    mean: tuple[float, ...]  # of red, green and blue, where 1 is the brightest value
    std: tuple[float, ...]


def load_model(options: OpenClipOptions) -> LoadedModel:
    """Return the model that ``options`` name, downloaded when it is not on this machine.

    :raises UsageError: for a name, folder or file that is no model.
    :raises MissingRequirement: when the weights are not on this machine and cannot be downloaded.
    """
    with _explain_load_errors(options), _disable_logging():
        if path := options.local_model():
            return _from_folder(path) if path.is_dir() else _from_state(_read_weights(path), options.text_heads)
        if options.model.startswith(FOLDER_SCHEME):
            return _from_folder(Path(options.model.removeprefix(FOLDER_SCHEME)))
        if options.model.startswith(HUB_SCHEME):
            folder = _download_metaclip2(options.model.removeprefix(HUB_SCHEME))
            return _from_folder(folder) if folder else _from_name(options.model, None)
        if options.model not in open_clip.list_models():
            near = get_close_matches(options.model, open_clip.list_models(), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else f" Give a name, {HUB_SCHEME}ORG/REPO, a folder or a file."
            raise UsageError(f"open_clip has no model '{options.model}', and there is no such file.{hint}")
        tags = open_clip.list_pretrained_tags_by_model(options.model)
        if weights := local_path(options.pretrained, is_name=options.pretrained in tags):
            return _from_name(options.model, str(weights))
        if options.pretrained not in tags:
            raise UsageError(
                f"Model '{options.model}' has no weights '{options.pretrained}', and there is no such file. "
                f"Its weights: {', '.join(tags) or 'none'}."
            )
        return _from_name(options.model, options.pretrained)


def _from_folder(path: Path) -> LoadedModel:
    if (path / OPEN_CLIP_CONFIG).is_file():
        return _from_name(f"{FOLDER_SCHEME}{path}", None)
    if is_metaclip2(path):
        model, cfg = load_towers(path)
        return _loaded_model(model, load_folder_tokenizer(path, {"context_length": model.context_length}), cfg)
    raise UsageError(
        f"The folder {path} holds no open_clip model: {OPEN_CLIP_CONFIG} is missing. Give the folder of a model."
    )


def _download_metaclip2(repository: str) -> Path | None:
    """Return the folder of a repository of the hub in transformers' layout; None for one in open_clip's layout."""
    try:
        hf_hub_download(repository, OPEN_CLIP_CONFIG)
    except EntryNotFoundError:
        return Path(snapshot_download(repository, allow_patterns=["*.json", "*.model", "model*.safetensors"]))
    return None


def _from_name(name: str, pretrained: str | None) -> LoadedModel:
    settings = _weights_settings(name, pretrained)
    model = open_clip.create_model(
        name,
        pretrained=pretrained,
        require_pretrained=True,
        weights_only=True,
        force_quick_gelu=settings.pop("quick_gelu", False),
        force_preprocess_cfg=settings,
    )
    return _loaded_model(model, load_tokenizer(name), PreprocessCfg(**model.visual.preprocess_cfg))


def _weights_settings(name: str, pretrained: str | None) -> dict[str, Any]:
    """Return the preprocessing and the activation that open_clip's table has for the weights of a named model.

    A file of weights has those of the model's tags, where these agree; open_clip would give it CLIP's. A model that is
    not in the table has its settings in its own configuration.
    """
    tags = open_clip.list_pretrained_tags_by_model(name)
    if pretrained in tags:
        tags = [pretrained]
    rows = [open_clip.get_pretrained_cfg(name, tag) for tag in tags]
    return {
        key: rows[0][key] for key in _SETTINGS if rows and all(row.get(key) == rows[0].get(key, ...) for row in rows)
    }


def _from_state(state: dict[str, torch.Tensor], text_heads: int) -> LoadedModel:
    """Build a model from a state dictionary in OpenAI's layout, whose shapes give all sizes except ``text_heads``."""
    if _OPENAI_KEY not in state:
        raise UsageError(
            f"The file holds no CLIP in OpenAI's layout ('{_OPENAI_KEY}' is missing). For another layout give "
            f"--encoder.model NAME and this file as --encoder.pretrained."
        )
    state = {
        key: value for key, value in state.items() if key not in {"input_resolution", "context_length", "vocab_size"}
    }
    model = build_model_from_openai_state_dict(dict(state), cast_dtype=torch.float32)
    model.float().load_state_dict(state)  # open_clip's builder rounds some weights to half precision
    if text_heads:
        for block in model.transformer.resblocks:
            block.attn.num_heads, block.attn.head_dim = text_heads, block.attn.embed_dim // text_heads
    side = model.visual.image_size
    cfg = PreprocessCfg(size=side[0] if isinstance(side, tuple) else side)
    return _loaded_model(model, open_clip.SimpleTokenizer(context_length=model.context_length), cfg)


def _loaded_model(model: Any, tokenize: Callable[[list[str]], torch.Tensor], cfg: PreprocessCfg) -> LoadedModel:
    preprocess = image_transform_v2(cfg, is_train=False)
    return LoadedModel(model.eval(), preprocess, tokenize, tuple(cfg.mean), tuple(cfg.std))


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    state = torch.load(path, map_location="cpu", weights_only=True)
    return dict(state.get("state_dict", state))


@contextlib.contextmanager
def _explain_load_errors(options: OpenClipOptions) -> Iterator[None]:
    """Turn exceptions of the libraries while a model loads into one-line errors that say what to do."""
    try:
        yield
    except AnyAnomalyError:
        raise
    except Exception as error:
        # errors of the hub are OSErrors; open_clip raises others while it handles them
        if isinstance(error, OSError) or isinstance(error.__context__, FileNotFoundError):
            raise MissingRequirement(
                f"The weights of {options.model} ({options.pretrained}) are not on this machine and could not be "
                f"downloaded: {_first_line(error)} Connect once, or give a local folder or file as --encoder.model."
            ) from error
        raise UsageError(
            f"The weights of {options.model} cannot be loaded: {_first_line(error)} "
            f"Check that the file is complete and belongs to this model."
        ) from error


def _first_line(error: Exception) -> str:
    line = str(error).rpartition("Last error: ")[2].strip().split("\n")[0][:200] or type(error).__name__
    return line if line.endswith(".") else f"{line}."


@contextlib.contextmanager
def _disable_logging() -> Iterator[None]:
    """Disable the logs of open_clip and of the hub's client: they repeat what our one-line error says."""
    previous = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(previous)
