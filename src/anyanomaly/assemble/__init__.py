"""From a configuration to a loaded pipeline.

``resolve`` decides every name, option and default of a run; ``capabilities`` checks that the components can do what
the run needs; ``pipeline`` creates and loads them; ``inspection`` runs one segment and returns its contexts, queries
and answers; ``run`` is for Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from anyanomaly.assemble.cache import cache_folder, store_limits, store_path
from anyanomaly.assemble.inspection import Inspection, inspect
from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.config.load import config_from_tables
from anyanomaly.config.model import RunConfig
from anyanomaly.engine.clock import Clock
from anyanomaly.errors import UsageError, VideoError
from anyanomaly.registry import Registry, load
from anyanomaly.types import Event, Timeline

__all__ = ["Inspection", "Pipeline", "build", "cache_folder", "inspect", "run", "store_limits", "store_path"]


def build(config: RunConfig, registry: Registry, clock: Clock | None = None) -> Pipeline:
    """Create the components of a run and check them against each other; nothing is loaded yet.

    :param clock: a `StageClock` to measure the speed of the run; None: do not measure.
    :raises UsageError: when a component or an option does not exist or is invalid, or components do not fit together.
    :raises MissingRequirement: when something that a component requires is not installed.
    """
    return Pipeline(config, registry, clock=clock)


def run(
    videos: str | Path | Sequence[str | Path],
    texts: str | Sequence[str],
    *,
    plugins: Sequence[str] = (),
    **tables: Any,
) -> Iterator[Event | Timeline]:
    """Find events in videos: yield scores per frame and events, as soon as they are final.

    A timeline comes in pieces, those of several event texts in turn; `join_timelines` makes one of them.

    :param videos: files, folders of images or URIs. :param texts: what to find, in plain words.
    :param plugins: plugin files or modules to load.
    :param tables: of the configuration file, by the same names: ``backend="qwen-hf"`` or
        ``backend={"name": "transformers", "model": "a/folder"}``, ``contexts=["key"]``, ``preset="paper"``,
        ``run={"threshold": 0.4}``, ``sink=[{"path": "results.jsonl"}]``.
    :raises AnyAnomalyError: a subclass, with a message for the user; `VideoError` at the end, when some of a video
        could not be read.
    """
    settings = {
        "videos": [str(video) for video in ([videos] if isinstance(videos, str | Path) else videos)],
        "texts": [texts] if isinstance(texts, str) else list(texts),
        **tables,
    }
    if not settings["videos"]:
        raise UsageError("There is no video to search. Give a path, a folder of images or an address.")
    with build(config_from_tables(settings), load(plugins)) as pipeline:
        for outcome in pipeline.run():
            if isinstance(outcome, Event | Timeline):
                yield outcome
    if pipeline.report.problems:
        raise VideoError(" ".join(problem.message for problem in pipeline.report.problems))
