"""Fingerprints of models: the weights, and all settings that change answers."""

from __future__ import annotations

from typing import Any

from anyanomaly.kit import fingerprint, release
from anyanomaly_transformers.options import TransformersOptions


def model_fingerprint(options: TransformersOptions, model: Any, revision: str, thinking: str) -> str:
    """Return the fingerprint of a model of transformers: weights, precision, sizes, thinking and release.

    :param revision: of the weights. :param thinking: empty where it is off and changes no prompt.
    """
    import transformers

    return fingerprint(
        "transformers",
        revision,
        dtype=str(model.dtype).removeprefix("torch."),
        quantization=options.quantization,
        attention="" if options.attention == "auto" else options.attention,
        pixels=options.pixel_range,
        thinking=thinking,
        transformers=release(transformers.__version__),
    )


def files_fingerprint(revision: str, **settings: str) -> str:
    """Return the fingerprint of weights that were read from files, with the settings that change answers.

    :param revision: a digest of the files.
    """
    import transformers

    return fingerprint("transformers", revision, **settings, transformers=release(transformers.__version__))
