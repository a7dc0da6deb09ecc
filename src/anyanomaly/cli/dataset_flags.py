"""The dataset that a command line names, and the flags of its options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from anyanomaly.cli.call import Call, FlagValues
from anyanomaly.cli.flags import Flag, field_flags

if TYPE_CHECKING:
    from anyanomaly.evaluation.result import DatasetSelection


def dataset_flags(call: Call, candidates: Sequence[str]) -> list[Flag]:
    """Return the flags of the options of a dataset; ``--root`` is short for ``--dataset.root``.

    :param candidates: the dataset is the first of them that is the name of one; without one there are no flags.
    """
    specs = {spec.name: spec for spec in call.registry.specs("dataset")}
    name = next((candidate for candidate in candidates if candidate in specs), "")
    if not name:
        return []
    flags = field_flags(call.registry.options_model(specs[name]), ("dataset",), {}, "dataset.")
    return [replace(flag, names=("--root", *flag.names)) if flag.path[-1] == "root" else flag for flag in flags]


def select_dataset(flag_values: FlagValues, name: str) -> DatasetSelection:
    """Return the dataset with the options of the command line; its classes are the event texts there, none: all."""
    from anyanomaly.evaluation.result import DatasetSelection

    options = {path[1]: value for path, value in flag_values.items() if path[0] == "dataset"}
    return DatasetSelection(name, options, tuple(flag_values.get(("texts",), ())))
