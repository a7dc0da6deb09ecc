"""An inspected segment as a folder: images, answers.json, and index.html, a page that shows them in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly.api.safe_file import SafeFile, check_plain
from anyanomaly.cli.output import format_score
from anyanomaly.core.reason import reason_text
from anyanomaly.outside_text import json_text, terminal_text

if TYPE_CHECKING:
    import numpy.typing as npt

    from anyanomaly.assemble import Inspection
    from anyanomaly.assemble.inspection import InspectedText
    from anyanomaly.types import Context, ImageArray, Score, Segment

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2024 }
h1 { font-size: 1.4rem } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #d5d9de }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem }
.row { display: flex; flex-wrap: wrap; gap: .75rem }
figure { margin: 0; flex: 0 1 14rem } .wide figure { flex-basis: 27rem }
img { width: 100%; display: block; background: #eee } figcaption { font-size: .85rem; color: #555 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f5f6f8; padding: .75rem; margin: .25rem 0 }
.score { float: right; font-variant-numeric: tabular-nums }
"""

Picture = tuple[str, str]
"""File name and caption."""


def write_page(inspection: Inspection, folder: Path) -> Path:
    """Write an inspection into ``folder`` and return the path of its page.

    :raises OutputError: when a file cannot be written.
    """
    sections = [
        _write_text(inspection.segment, result, folder, f"{number}-") for number, result in enumerate(inspection.texts)
    ]
    _write_file(folder / "answers.json", json_text(_to_json(inspection), indent=2))
    page = folder / "index.html"
    _write_file(page, _html(inspection.segment, sections))
    return page


def html_text(text: str) -> str:
    """Return a text from outside for HTML, as content or as the value of an attribute."""
    return escape(terminal_text(text))


def _write_text(segment: Segment, result: InspectedText, folder: Path, prefix: str) -> str:
    """Write the images of one event text and return its section of the page."""
    frames = [
        _write(folder, f"{prefix}frame-{position}.png", segment.frames[position].image, _caption(segment, position))
        for position in result.text_contexts.key_frames.sequence
    ]
    main = segment.frames[result.text_contexts.key_frames.primary]
    primary = _write(
        folder, f"{prefix}primary.png", main.image, _caption(segment, result.text_contexts.key_frames.primary)
    )
    parts = [
        f"<h2>{html_text(result.text_contexts.text.text)} <span class=score>{format_score(result.value)}</span></h2>",
        f"<h3>Key frame</h3><div class='row wide'>{_figure_tags([primary])}</div>",
        f"<h3>Sequence</h3><div class=row>{_figure_tags(frames)}</div>",
    ]
    rows = zip(result.text_contexts.contexts, result.queries, result.answers, result.scores, strict=True)
    for number, (context, query, answer, score) in enumerate(rows):
        name = f"{context.name} {query.id.index + 1}" if query.id.index else context.name
        pictures = list(_write_context(context, main.image, folder, f"{prefix}{_file_stem(name, number)}"))
        parts.append(
            f"<h3>Context {html_text(name)} <span class=score>{format_score(score.value)}</span></h3>"
            f"<div class='row wide'>{_figure_tags(pictures)}</div>"
            f"<pre>{html_text(f'{query.system}{chr(10) * 2}{query.prompt}'.strip())}</pre>"
            f"<p>Answer:</p><pre>{html_text(_answer_text(answer.text, score))}</pre>"
        )
    return "\n".join(parts)


def _write_context(context: Context, primary: ImageArray, folder: Path, stem: str) -> Iterator[Picture]:
    """Write the images of a context, and its attention map as colours over the key frame; yield names and captions."""
    for number, image in enumerate(context.images):
        yield _write(folder, f"{stem}-{number}.png", image, "as the backend sees it")
    if (attention := context.views.get("attention")) is not None:
        lowest, highest = float(attention.min()), float(attention.max())
        caption = f"attention, {lowest:.3g} (blue) to {highest:.3g} (red)"
        yield _write(folder, f"{stem}-attention.png", heat(primary, attention), caption)


def heat(image: ImageArray, values: npt.NDArray[Any]) -> ImageArray:
    """Return an image with a map over it as colours, blue where the map is lowest and red where it is highest.

    :param image: uint8 (H, W, 3), RGB. :param values: (h, w), any range; resized to the image.
    """
    import cv2
    import numpy as np

    height, width = image.shape[:2]
    values = np.nan_to_num(np.asarray(values, dtype=np.float32))
    spread = float(values.max() - values.min())
    levels = (values - values.min()) / spread if spread else np.zeros_like(values)
    levels = cv2.resize(levels, (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(np.round(levels * 255).astype(np.uint8), cv2.COLORMAP_JET)[..., ::-1]
    blended: ImageArray = cv2.addWeighted(np.ascontiguousarray(colours), 0.5, image, 0.5, 0)
    return blended


def _write(folder: Path, name: str, image: ImageArray, caption: str) -> Picture:
    import cv2

    _, encoded = cv2.imencode(".png", image[..., ::-1])  # OpenCV expects BGR; cv2.imwrite does not report errors
    _write_file(folder / name, encoded.tobytes())
    return name, caption


def _file_stem(name: str, number: int) -> str:
    """Return the start of the file names of a context: its name, or its number where the name is long or unusual."""
    stem = name.replace(" ", "_")
    return stem if re.fullmatch(r"[\w-]{1,60}", stem, re.ASCII) else f"context-{number}"


def _write_file(path: Path, content: str | bytes) -> None:
    check_plain(path)
    with SafeFile(str(path)) as file:
        file.write(content)


def _caption(segment: Segment, position: int) -> str:
    frame = segment.frames[position]
    return f"frame {frame.index}, {frame.time_s:.2f} s"


def _answer_text(text: str, score: Score) -> str:
    """Return an answer as text; without words, the probability of the allowed answers and the reason."""
    mass = f"expected score, with {score.mass:.3f} of the probability on the allowed answers" if score.mass else ""
    return text or "\n\n".join(part for part in (mass, reason_text(score.answer)) if part) or "(no words)"


def _figure_tags(pictures: Sequence[Picture]) -> str:
    tags = ((name, html_text(caption)) for name, caption in pictures)
    return "".join(
        f"<figure><img src='{name}' alt='{caption}'><figcaption>{caption}</figcaption></figure>"
        for name, caption in tags
    )


def _html(segment: Segment, sections: Sequence[str]) -> str:
    name = html_text(segment.video.uri)
    when = f"{segment.times_s[0]:.2f} s to {segment.times_s[-1]:.2f} s, frames {segment.start} to {segment.stop - 1}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{name}, segment {segment.index}</title><style>{STYLE}</style>"
        f"<h1>{name}, segment {segment.index}</h1><p>{when}</p>\n{chr(10).join(sections)}</html>\n"
    )


def _to_json(inspection: Inspection) -> Mapping[str, Any]:
    """Return questions, answers and scores, JSON-ready; an unreadable score is null."""
    segment = inspection.segment
    return {
        "video": segment.video.uri,
        "segment": segment.index,
        "start": segment.start,
        "stop": segment.stop,
        "texts": [
            {
                "text": result.text_contexts.text.text,
                "score": _or_null(result.value),
                "primary": segment.frames[result.text_contexts.key_frames.primary].index,
                "sequence": [segment.frames[position].index for position in result.text_contexts.key_frames.sequence],
                "contexts": [
                    {
                        "context": query.id.context,
                        "index": query.id.index,
                        "system": query.system,
                        "question": query.prompt,
                        "answer": answer.text,
                        "logprobs": dict(answer.logprobs) if answer.logprobs is not None else None,
                        "score": _or_null(score.value),
                        "mass": score.mass,
                        "reason": reason_text(score.answer) or None,
                    }
                    for query, answer, score in zip(result.queries, result.answers, result.scores, strict=True)
                ],
            }
            for result in inspection.texts
        ],
    }


def _or_null(value: float) -> float | None:
    return value if value == value else None
