"""Single frames of the video that stored results are about."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import cast

from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.assemble.resolve import resolve_readers
from anyanomaly.config.model import ComponentChoice, RunConfig
from anyanomaly.engine.evidence import IMAGE_SIDE, encode_picture
from anyanomaly.errors import AnyAnomalyError
from anyanomaly.evidence import Picture
from anyanomaly.registry import Registry


def read_pictures(
    uri: str, reader: ComponentChoice, registry: Registry, numbers: Iterable[int]
) -> tuple[dict[int, Picture], str]:
    """Return frames of a video by their number, and why some are missing: a sentence, empty when none is.

    Only files and folders of this machine are read: an address in stored results may be a stranger's.

    :param reader: of the run. :param numbers: of the frames.
    """
    frame_numbers = set(numbers)
    if not frame_numbers:
        return {}, "The results do not say which frames were chosen."
    if not (os.path.exists(uri) or ("*" in uri and "://" not in uri)):
        return {}, f"The video {uri or 'of these results'} is not here; with --results, VIDEO says where it is."
    pictures: dict[int, Picture] = {}
    try:
        component = resolve_readers(RunConfig(reader=reader), registry, [uri])[uri]
        with cast("Reader[Options]", registry.create(component.spec, component.options)) as source:
            for frame in source.frames(source.probe(uri), start=min(frame_numbers)):
                if frame.index in frame_numbers:
                    pictures[frame.index] = encode_picture(frame.image, IMAGE_SIDE, frame)
                if frame.index >= max(frame_numbers):
                    break
    except AnyAnomalyError as error:
        return pictures, str(error)
    return pictures, "" if len(pictures) == len(frame_numbers) else f"Some of its frames are not in {uri}."
