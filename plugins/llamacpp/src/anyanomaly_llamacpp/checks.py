"""Whether a model and a projector belong together, told from what their files say about themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyanomaly.errors import UsageError

# The text architectures that the projectors with an attachment of their own are made for.
MADE_FOR = {
    "qwen2vl_merger": {"qwen2vl"},
    "qwen2.5vl_merger": {"qwen2vl"},
    "qwen3vl_merger": {"qwen3vl", "qwen3vlmoe"},
    "gemma3": {"gemma3"},
}
PROJECTOR = "clip"  # the architecture that projectors name


def check_pair(text: Mapping[str, Any], vision: Mapping[str, Any], model: str, mmproj: str) -> None:
    """Check the headers of a model and of its projector.

    :raises UsageError: when one is not what it is given as, or they do not belong together.
    """
    architecture = text.get("general.architecture", "")
    if architecture == PROJECTOR:
        raise UsageError(f"{model!r} is a projector. Give the language model's file as --backend.model.")
    if vision.get("general.architecture") != PROJECTOR:
        raise UsageError(f"{mmproj!r} is not a projector. Give the mmproj file of the model as --backend.mmproj.")
    if not vision.get("clip.has_vision_encoder"):
        raise UsageError(f"The projector {mmproj!r} does not see images. Use a model with vision.")
    kind = vision.get("clip.projector_type", "")
    made_for = MADE_FOR.get(kind)
    needed_by = {name for names in MADE_FOR.values() for name in names}
    fits = architecture in made_for if made_for else architecture not in needed_by
    if not fits:
        raise UsageError(
            f"The projector {mmproj!r} (type {kind}) does not belong to {model!r} (a {architecture}). "
            "Give the mmproj file that comes with the model."
        )
