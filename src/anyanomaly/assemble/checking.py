"""A data set by name, looked over with the readers that a run would take."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, cast

from anyanomaly.api.dataset import Dataset
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.config.model import ComponentChoice
from anyanomaly.evaluation.dataset_check import CheckReport, check_dataset
from anyanomaly.registry import Registry


def check(name: str, options: Mapping[str, Any], registry: Registry, choice: ComponentChoice) -> CheckReport:
    """Open every video of a data set and compare its frames with its labels; no model is loaded.

    :param options: of the data set. :param choice: of the reader, as in a run.
    :raises DatasetNotFound: when it is not there, with where to get it.
    """
    spec = registry.find("dataset", name)
    registry.check(spec)
    readers: dict[str, Reader[Options]] = {}
    with contextlib.ExitStack() as stack:

        def reader_for(uri: str) -> Reader[Options]:
            of = registry.reader_for(uri) if choice.name == "auto" else registry.find("reader", choice.name)
            if of.name not in readers:
                known = registry.options_model(of).model_fields
                own = {key: value for key, value in choice.options.items() if key in known or choice.name != "auto"}
                reader = cast("Reader[Options]", registry.create(of, own))
                readers[of.name] = stack.enter_context(reader)
            return readers[of.name]

        dataset = stack.enter_context(cast("Dataset[Options]", registry.create(spec, options)))
        return check_dataset(dataset, reader_for)
