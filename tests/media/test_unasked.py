"""Annotated videos and clips of runs that did not ask about everything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.api import RunEnd
from anyanomaly.core.events import EventRule
from anyanomaly.media.annotated import AnnotatedOptions, AnnotatedSink
from anyanomaly.media.annotated_scores import Curve, TextScores, unasked_columns
from anyanomaly.media.annotated_strip import COLOURS
from anyanomaly.media.clip_options import ClipsOptions
from anyanomaly.media.clips import ClipsSink
from anyanomaly.types import QueryId, Score, SegmentScore, Timeline, Video
from tests.media.annotating import HEIGHT, RULE, probe_video, strips_of
from tests.media.clipping import event
from tests.videos.making import write_video

TEXTS = ("a bicycle", "smoke")


def annotate_run(
    source: Path, target: Path, asked: Sequence[Sequence[bool]], *, gates: Sequence[str] = ("motion",)
) -> np.ndarray:
    """Return the strips of an annotated video of 20 frames, ``asked`` about each text and quarter of it."""
    video, times_s = probe_video(source)
    rule = {"threshold": RULE.threshold, "merge_seconds": RULE.merge_s, "min_event_seconds": RULE.min_s}
    with AnnotatedSink(AnnotatedOptions(path=str(target), window_s=1.0)) as sink:
        sink.begin({"config": {"texts": list(TEXTS), "videos": ["v"], "gates": list(gates), "run": rule}})
        sink.write_video(video)
        for quarter in range(4):
            part = slice(5 * quarter, 5 * quarter + 5)
            for text, flags in zip(TEXTS, asked, strict=True):
                scores = np.full(5, 0.3, np.float32)
                marks = np.full(5, flags[quarter])
                piece = Timeline(video, text, part.start, np.array(times_s[part]), scores, scores.copy(), {}, marks)
                sink.write_timeline(piece)
        sink.end(RunEnd("complete", 8, 0, 0))
    return np.array(strips_of(target, HEIGHT)).astype(int)


def has_colour(strip: np.ndarray, colour: Sequence[int]) -> bool:
    return bool((np.abs(strip - np.array(colour)).sum(axis=2) < 60).any())


def test_the_strip_is_muted_where_nothing_was_asked(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", 20)
    everywhere = annotate_run(source, tmp_path / "all.mp4", [[True] * 4] * 2)
    nowhere = annotate_run(source, tmp_path / "none.mp4", [[False] * 4] * 2)
    half = annotate_run(source, tmp_path / "half.mp4", [[True, True, False, False]] * 2)
    for number in (2, 10, 17):
        plot = slice(30, 84)  # rows of the plot
        assert has_colour(everywhere[number][plot], COLOURS[0])
        assert not has_colour(nowhere[number][plot], COLOURS[0])  # the curve is grey
    # the words "not asked" stand in place of the score, from the frame on that was not asked about
    legend = slice(0, 30)
    np.testing.assert_allclose(half[2][legend, :300], everywhere[2][legend, :300], atol=40)
    np.testing.assert_allclose(half[17][legend, :300], nowhere[17][legend, :300], atol=40)
    assert np.abs(nowhere[17][legend, :300] - everywhere[17][legend, :300]).max() > 80


def test_the_ground_is_hatched_only_where_no_text_was_asked_about(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", 20)
    one = annotate_run(source, tmp_path / "one.mp4", [[False] * 4, [True] * 4])
    none = annotate_run(source, tmp_path / "none.mp4", [[False] * 4] * 2)
    plot = slice(44, 52)  # rows of the plot above the curve
    assert one[10][plot, 60:300].std() * 1.5 < none[10][plot, 60:300].std()


def test_a_run_without_gates_keeps_its_layout(tmp_path: Path) -> None:
    source = write_video(tmp_path / "source.mp4", 20)
    gated = annotate_run(source, tmp_path / "gated.mp4", [[True] * 4] * 2)
    plain = annotate_run(source, tmp_path / "plain.mp4", [[True] * 4] * 2, gates=())
    assert gated.shape == plain.shape
    legend = slice(0, 30)
    assert np.abs(gated[10][legend] - plain[10][legend]).max() > 80  # the words need more room than a score


@given(st.lists(st.lists(st.booleans(), min_size=10, max_size=10), min_size=1, max_size=3))
def test_a_column_is_hatched_where_it_was_read_and_no_text_was_asked_about(asked: list[list[bool]]) -> None:
    times_s = np.arange(11) / 10
    curves = [Curve(times_s, np.zeros(11, np.float32), np.array([*flags, flags[-1]])) for flags in asked]
    columns = unasked_columns(curves, 0.0, 1.0, 10)
    np.testing.assert_array_equal(columns, ~np.any(asked, axis=0))


def test_the_reason_of_an_event_is_of_a_segment_that_was_asked_about() -> None:
    scores = TextScores(EventRule(min_s=0.1))
    video = Video("v", "v.mp4", 10.0, 20, 4, 4)
    for number, (asked, value) in enumerate([(True, 0.6), (False, 0.9)]):
        score = Score(QueryId("v", number, "t", "key"), value, "0.6. Because.", asked=asked)
        times_s = np.arange(10 * number, 10 * number + 10) / 10
        scores.add_segment(
            SegmentScore(video, number, 10 * number, 10 * number + 10, times_s, "t", {"key": score}, value)
        )
        series = np.full(10, 0.7, np.float32)
        scores.add_piece(Timeline(video, "t", 10 * number, times_s.copy(), series, series.copy(), {}))
    assert [span.reason for span in scores.spans(0, 2)] == ["Because."]


def clip_record(folder: Path, asked: Sequence[bool]) -> dict[str, object]:
    """Return the event in the JSON file of a clip from 1 s to 2 s; ``asked`` about each half second from 0 s."""
    video = Video("v", "missing.mp4", 10.0, None, 128, 96)
    with ClipsSink(ClipsOptions(path=str(folder))) as sink:
        sink.begin({"config": {}, "readers": []})
        sink.write_video(video)
        for number, is_asked in enumerate(asked):
            times_s = number / 2 + np.arange(5) / 10
            scores = np.full(5, 0.9, np.float32)
            sink.write_timeline(
                Timeline(video, event(1, 2).text, 5 * number, times_s, scores, scores.copy(), {}, np.full(5, is_asked))
            )
        sink.write_event(event(1.0, 2.0))
        sink.end(RunEnd("complete", 1, 1, 0))
    record: dict[str, dict[str, object]] = json.loads(next(folder.glob("*.json")).read_text())
    return record["event"]


def test_the_json_file_of_a_clip_names_the_parts_that_were_not_asked_about(tmp_path: Path) -> None:
    assert clip_record(tmp_path / "some", [False, True, True, False, False])["unasked"] == [[1.5, 2.0]]
    assert "unasked" not in clip_record(tmp_path / "none", [False, True, True, True, False])
