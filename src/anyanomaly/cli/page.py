"""A segment as a folder: pictures, answers.json, and index.html, a page that shows what the model saw and answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly.api.safe_file import write_file
from anyanomaly.outside_text import json_text

if TYPE_CHECKING:
    import numpy.typing as npt

    from anyanomaly.assemble.choice import Match
    from anyanomaly.assemble.inspection import InspectedText, Inspection
    from anyanomaly.assemble.stored_segment import StoredSegment
    from anyanomaly.evidence import Evidence, Exchange, Picture
    from anyanomaly.types import ImageArray, Segment

    PictureNames = dict[Picture, str]


@dataclass(frozen=True, slots=True)
class PageText:
    """One event text on the page."""

    evidence: Evidence
    names: Mapping[Picture, str]  # file name of each picture
    notes: Sequence[str] = ()
    command: str = ""


def write_inspection(inspection: Inspection, folder: Path) -> Path:
    """Write an inspected segment, with pictures of full size as PNG files, and return the path of the page.

    :raises OutputError: when a file cannot be written.
    """
    texts = [
        PageText(result.evidence, _write_images(inspection.segment, result, folder, f"{number}-"))
        for number, result in enumerate(inspection.texts)
    ]
    return _write_page(inspection.segment.video.uri, texts, inspection.match, folder)


def write_stored(stored: StoredSegment, folder: Path) -> Path:
    """Write a stored segment, with the stored pictures as JPEG files, and return the path of the page.

    :raises OutputError: when a file cannot be written.
    """
    texts = [
        PageText(result.evidence, _write_pictures(result.evidence, folder, f"{number}-"), result.notes, result.command)
        for number, result in enumerate(stored.texts)
    ]
    return _write_page(stored.uri or texts[0].evidence.video, texts, stored.match, folder)


def heat(image: ImageArray, values: npt.NDArray[Any]) -> ImageArray:
    """Return an image with a map over it as colours, dark where the map is lowest and bright where it is highest.

    :param image: uint8 (H, W, 3), RGB. :param values: (h, w), any range; resized to the image.
    """
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    values = np.nan_to_num(np.asarray(values, dtype=np.float32))
    spread = float(values.max() - values.min())
    levels = (values - values.min()) / spread if spread else np.zeros_like(values)
    levels = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.round(levels * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    blended: ImageArray = cv2.addWeighted(np.ascontiguousarray(colours), 0.5, image, 0.5, 0)
    return blended


def _write_page(uri: str, texts: Sequence[PageText], match: Match | None, folder: Path) -> Path:
    from anyanomaly.pages import render_page
    from anyanomaly.pages.evidence import evidence_view

    first = texts[0].evidence
    page = render_page(
        "show.html.j2",
        reads_pictures=True,
        title=f"{uri}, segment {first.segment}",
        subtitle=_describe_match(match),
        views=[evidence_view(text.evidence, text.names.__getitem__, text.notes, text.command) for text in texts],
    )
    write_file(folder / "answers.json", json_text(_to_json(uri, [text.evidence for text in texts]), indent=2))
    write_file(folder / "index.html", page)
    return folder / "index.html"


def _describe_match(match: Match | None) -> str:
    """Return why this segment is shown, where a search chose it."""
    if match is None:
        return ""
    if match.event is None:
        return "The segment with the highest score."
    event = match.event
    return (
        f"The peak of event {match.number} of {match.n_events}: {event.start_s:.2f} s to {event.stop_s:.2f} s, "
        f"smoothed score {event.peak:.3f} at {event.peak_s:.2f} s."
    )


def _write_images(segment: Segment, result: InspectedText, folder: Path, prefix: str) -> PictureNames:
    """Write the frames and the images of the contexts, and return the names for the pictures that stand for them."""
    key_frames, evidence = result.text_contexts.key_frames, result.evidence
    frame_names = {
        segment.frames[position].index: _write_png(
            folder, f"{prefix}frame-{position}.png", segment.frames[position].image
        )
        for position in key_frames.sequence
    }
    names = {picture: frame_names[picture.frame] for picture in evidence.frames if picture.frame is not None}
    main = segment.frames[key_frames.primary].image
    exchanges = {(exchange.context, exchange.index): exchange for exchange in evidence.exchanges if exchange.asked}
    n_before: Counter[str] = Counter()
    for number, context in enumerate(result.text_contexts.contexts):
        exchange = exchanges.get((context.name, n_before[context.name]))
        n_before[context.name] += 1
        if exchange is None:
            continue
        stem = f"{prefix}{_file_stem(exchange, number)}"
        for position, (image, picture) in enumerate(zip(context.images, exchange.pictures, strict=True)):
            names[picture] = _write_png(folder, f"{stem}-{position}.png", image)
        if (attention := context.views.get("attention")) is not None:
            _write_png(folder, f"{stem}-attention.png", heat(main, attention))
    names[evidence.key_frame] = _write_png(folder, f"{prefix}primary.png", main)
    return names


def _write_png(folder: Path, name: str, image: ImageArray) -> str:
    import cv2

    _, encoded = cv2.imencode(".png", image[..., ::-1])  # OpenCV expects BGR; cv2.imwrite does not report errors
    write_file(folder / name, encoded.tobytes())
    return name


def _write_pictures(evidence: Evidence, folder: Path, prefix: str) -> PictureNames:
    """Write the stored pictures, and return their names."""
    by_name = {f"{prefix}frame-{position}.jpg": picture for position, picture in enumerate(evidence.frames)}
    for number, exchange in enumerate(evidence.exchanges):
        stem = f"{prefix}{_file_stem(exchange, number)}"
        by_name |= {f"{stem}-{position}.jpg": picture for position, picture in enumerate(exchange.pictures)}
    by_name[f"{prefix}primary.jpg"] = evidence.key_frame
    for name, picture in by_name.items():
        if picture.jpeg:
            write_file(folder / name, picture.jpeg)
    return {picture: name for name, picture in by_name.items() if picture.jpeg}


def _file_stem(exchange: Exchange, number: int) -> str:
    """Return the start of the file names of a context: its name, or its number where the name is long or unusual."""
    stem = f"{exchange.context}_{exchange.index + 1}" if exchange.index else exchange.context
    return stem if re.fullmatch(r"[\w-]{1,60}", stem, re.ASCII) else f"context-{number}"


def _to_json(uri: str, evidence: Sequence[Evidence]) -> Mapping[str, Any]:
    """Return questions, answers and scores, JSON-ready; a score that is unreadable or was not asked is null."""
    from anyanomaly.results.evidence_records import logprob_fields
    from anyanomaly.results.fields import exact_number

    return {
        "video": uri,
        "segment": evidence[0].segment,
        "start": evidence[0].start,
        "stop": evidence[0].stop,
        "texts": [
            {
                "text": entry.text,
                "score": exact_number(entry.value),
                **({} if entry.asked else {"asked": False}),
                **({"priorities": dict(entry.priorities)} if entry.priorities else {}),
                "primary": entry.key_frame.frame,
                "sequence": [picture.frame for picture in entry.frames],
                "contexts": [
                    {
                        "context": exchange.context,
                        "index": exchange.index,
                        "system": exchange.system,
                        "question": exchange.question,
                        "answer": exchange.answer,
                        "logprobs": logprob_fields(exchange.logprobs),
                        "score": exact_number(exchange.score),
                        **({} if exchange.asked else {"asked": False}),
                        "mass": exchange.mass,
                        "reason": exchange.reason or None,
                    }
                    for exchange in entry.exchanges
                ],
            }
            for entry in evidence
        ],
    }
