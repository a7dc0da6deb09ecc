"""Ids of videos: the same on every machine, and different for the videos of one run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from anyanomaly.engine.plan import Source
from anyanomaly.errors import UsageError
from anyanomaly.outside_text import storable_text

MAX_DEPTH = 64
"""Folders of a path that an id may name; two files that still have the same id are one file under two names."""


def check_unique_uris(uris: Sequence[str]) -> None:
    """:raises UsageError: when a video is named twice."""
    repeated = next((uri for uri in uris if uris.count(uri) > 1), None)
    if repeated is not None:
        raise UsageError(f"The video {repeated} is named twice. Name it once.")


def distinguish_ids(sources: Sequence[Source]) -> list[Source]:
    """Return the sources with distinct ids: each gets as many folders of its path as it takes to differ."""
    uris = [video.uri for _, video in sources]
    ids = [video.id for _, video in sources]
    parents = [PurePath(storable_text(os.path.abspath(uri))).parent.parts for uri in uris]
    depth = 0
    while len(set(ids)) < len(ids):
        depth += 1
        clashing = {id for id in ids if ids.count(id) > 1}
        ids = [
            "/".join((*parts[-depth:], video.id)) if id in clashing else id
            for id, parts, (_, video) in zip(ids, parents, sources, strict=True)
        ]
        if depth > MAX_DEPTH:
            ids = [storable_text(uri) for uri in uris]
            ids = [id if ids.count(id) == 1 else ascii(uri) for id, uri in zip(ids, uris, strict=True)]
    return [(reader, replace(video, id=id)) for (reader, video), id in zip(sources, ids, strict=True)]
