"""What identifies a model's answers: its weights, and all else that changes answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anyanomaly.kit import fingerprint, model_identity, release, weights_digest
from anyanomaly_transformers.options import TransformersOptions


def model_fingerprint(options: TransformersOptions, model: Any, commit: str) -> str:
    """Return the fingerprint of a model of transformers: weights, precision, sizes and release.

    :param commit: of a hub model; empty: the revision that the options name.
    """
    import transformers

    return fingerprint(
        "transformers",
        model_identity(options.model, commit or options.revision),
        dtype=str(model.dtype).removeprefix("torch."),
        quantization=options.quantization,
        attention="" if options.attention == "auto" else options.attention,
        pixels=options.pixel_range,
        transformers=release(transformers.__version__),
    )


def files_fingerprint(paths: Sequence[Path], **settings: str) -> str:
    """Return the fingerprint of weights in ``paths``, files and folders, with the settings that change answers."""
    import transformers

    return fingerprint(
        "transformers", weights_digest(paths), **settings, transformers=release(transformers.__version__)
    )
