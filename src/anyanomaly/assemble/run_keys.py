"""Keys of stored scores: a digest of all that decides the scores of a video, and of nothing that comes after them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyanomaly.assemble.cache import run_store_path, store_limits
from anyanomaly.engine.plan import Source
from anyanomaly.engine.run_store import RunStore
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.stored_runs import Memory

AFTER_SCORES = {
    *("threshold", "smooth_seconds", "smooth_frames", "merge_seconds", "min_event_seconds", "reason_above"),
    *("max_unreadable", "lookahead_mib", "store", "allow_network"),
}
"""Settings of the table ``run`` that do not change the scores of contexts."""
_NOT_OF_VIDEO = {"videos", "texts", "preset", "run"}


def open_memory(header: Mapping[str, Any], sources: Sequence[Source]) -> Memory:
    """Return the scores of earlier runs, and where those of this run are stored. ``header`` and ``sources``: its own.

    :raises InvalidOption: when a variable of the limits has no valid value.
    """
    return Memory(RunStore(run_store_path(), store_limits()), key_maker(header, sources), header)


def key_maker(header: Mapping[str, Any], sources: Sequence[Source]) -> Callable[[Source, RunSettings], str | None]:
    """Return a function from a video and the settings of its run to its key; None: its content is unknown, or live.

    With a budget, the other videos decide what is asked about each, so all of them are in its key.

    :param header: of the run: settings, prompts, versions and fingerprints. :param sources: all videos of the run.
    """
    described = {**header, "config": _before_scores(header["config"])}
    digests: dict[str, str | None] = {}  # by id of the video

    def digest_of(source: Source) -> str | None:
        reader, video = source
        if video.id not in digests:
            digests[video.id] = None if video.live else reader.content_digest(video)
        return digests[video.id]

    def make_key(source: Source, settings: RunSettings) -> str | None:
        has_budget = settings.gate is not None and settings.gate.budget is not None
        videos = []
        for competitor in sources if has_budget else [source]:
            digest = digest_of(competitor)
            if digest is None:
                return None
            videos.append([competitor[1].id, digest, settings.texts_of(competitor[1])])
        content = {"run": described, "video": source[1].id, "videos": videos}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    return make_key


def _before_scores(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration without what does not change the scores of contexts."""
    contexts = {
        name: {option: value for option, value in options.items() if option != "weight"}
        for name, options in config.get("context", {}).items()
    }
    run = {name: value for name, value in config.get("run", {}).items() if name not in AFTER_SCORES}
    return {
        **{name: value for name, value in config.items() if name not in _NOT_OF_VIDEO},
        "context": contexts,
        "run": run,
    }
