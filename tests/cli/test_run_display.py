"""What the live display of a run shows, line by line."""

from __future__ import annotations

import errno
import io
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from anyanomaly.cli.live import LiveArea
from anyanomaly.cli.live_text import Glyphs
from anyanomaly.cli.output import print_fields, print_message, show_live
from anyanomaly.cli.run_display import MAX_CLOSING_LINES, RunDisplay
from anyanomaly.engine.clock import StageClock
from anyanomaly.types import Event, QueryId, Score, SegmentScore, Timeline, Video
from tests.cli.terminal import Screen


def new_console(width: int = 80, height: int = 24, encoding: str = "utf-8") -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(file=file, force_terminal=True, width=width, height=height, markup=False, emoji=False)


def new_video(name: str = "street", n_frames: int | None = 80) -> Video:
    return Video(name, f"{name}.mp4", 8.0, n_frames, 32, 32)


def new_score(text: str, value: float, segment: int = 0, video: Video | None = None) -> SegmentScore:
    start = 8 * segment
    return SegmentScore(video or new_video(), segment, start, start + 8, np.arange(8) / 8, text, {}, value)


def new_piece(text: str, values: list[float], video: Video | None = None) -> Timeline:
    scores = np.array(values, dtype=np.float32)
    return Timeline(video or new_video(), text, 0, np.arange(len(values)) / 8, scores, scores.copy(), {})


def fill_display(console: Console, texts: list[str], names: list[str] | None = None) -> RunDisplay:
    display = RunDisplay(console, 0.5, StageClock())
    videos = [new_video(name) for name in names or ["street"]]
    display.begin(videos, 80 * len(videos) * len(texts))
    for video in videos:
        for segment in range(5):
            for text in texts:
                display.add(new_score(text, segment / 5 if segment else math.nan, segment, video))
        for text in texts:
            display.add(new_piece(text, [0.0, 0.9, math.nan, 0.2], video))
            display.add(Event(video.id, text, 3.0, 75.5, 0.87, 61.25))
    return display


def test_a_run_of_one_video() -> None:
    display = fill_display(new_console(), ["car", "a person falls"])
    name, progress, counts, rates, car, person, *events = [line.plain for line in display.lines(79, 23)]
    assert name == "street"
    assert " 50 %" in progress
    assert counts.startswith("0:00 running   5 segments   40 frames   ")
    assert rates.endswith(" % waiting for the model   2 events")
    assert car == "car            0.80  ▂▄▅▇"
    assert person == "a person falls 0.80  ▂▄▅▇"
    assert events == ["0:03.0-1:15.5  0.87 at 1:01.2  car", "0:03.0-1:15.5  0.87 at 1:01.2  a person falls"]


def test_what_was_not_asked_is_muted_and_has_no_score() -> None:
    display = RunDisplay(new_console(), 0.5, StageClock())
    display.begin([new_video()], 80)
    for segment, (value, is_asked) in enumerate(
        [(0.9, True), (0.05, False), (0.1, True), (0.05, False), (0.05, False)]
    ):
        part = Score(QueryId("street", segment, "car", "key"), value if is_asked else math.nan, asked=is_asked)
        display.add(replace(new_score("car", value, segment), scores={"key": part}))
    *_, line = [line for line in display.lines(79, 23) if line.plain.strip()]
    assert line.plain == "car not asked █·▁··"
    styles = [str(span.style) for span in line.spans]
    assert styles == ["bold red", "dim", "cyan", "dim"]
    assert any("asked 2 of 5" in line.plain for line in display.lines(79, 23))
    asked = np.array([True, False, False, True])
    display.add(replace(new_piece("car", [0.9, 0.05, 0.05, 0.1]), asked=asked, contexts_asked={}))
    heading, closing = display.closing_lines()
    assert heading.endswith("reach the threshold 0.5; · not asked):")
    assert closing == "car peak 0.90 at 0:00 █··▁"


def test_a_video_that_was_not_asked_about_has_no_peak() -> None:
    display = RunDisplay(new_console(), 0.5, StageClock())
    display.begin([new_video()], 80)
    display.add(replace(new_piece("car", [0.2, 0.2]), asked=np.array([False, False]), contexts_asked={}))
    assert display.closing_lines()[1] == "car not asked ··"


def test_speed_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("anyanomaly.cli.run_display.time", SimpleNamespace(monotonic=lambda: now_s))
    display = RunDisplay(new_console(), 0.5, StageClock())
    display.begin([new_video()], 80)
    for segment in range(5):
        now_s += 2
        display.add(new_score("car", 0.5, segment))
    for later_s, time_left in ((0, "  0:10 left"), (4.6, "  0:05 left"), (20, "")):
        now_s = 110.0 + later_s
        _, progress, counts, *_ = [line.plain for line in display.lines(79, 23)]
        assert progress.endswith(f" 50 %{time_left}")
        assert "   4 frames/s   0.5 times real time" in counts


def test_several_videos_have_names_and_numbers() -> None:
    lines = [line.plain for line in fill_display(new_console(), ["car"], ["street", "lane"]).lines(79, 23)]
    assert lines[0] == "video 2 of 2: lane"
    assert lines[-1] == "0:03.0-1:15.5  0.87 at 1:01.2  lane: car"


def test_a_stream_has_no_end_to_wait_for() -> None:
    display = RunDisplay(new_console(), 0.5, StageClock())
    display.begin([new_video(n_frames=None)], None)
    display.add(new_score("car", math.nan))
    lines = [line.plain for line in display.lines(79, 23)]
    assert not any("left" in line or "━" in line or "─" in line for line in lines)
    assert lines[-1].rstrip() == "car  --"


def test_scores_that_reach_the_threshold_are_another_colour() -> None:
    display = fill_display(new_console(), ["car"])
    (line,) = [line for line in display.lines(79, 23) if line.plain.startswith("car ")]
    styles = {line.plain[span.start : span.end]: str(span.style) for span in line.spans}
    assert styles == {" ▂▄": "cyan", "▅▇": "bold red"}


@given(
    st.lists(st.text(max_size=60), min_size=1, max_size=12, unique=True),
    st.lists(st.text(min_size=1, max_size=30), min_size=1, max_size=3, unique=True),
    st.integers(10, 120),
    st.integers(3, 30),
    st.sampled_from(["utf-8", "ascii", "cp437", "latin-1"]),
)
def test_every_line_fits_every_terminal(
    texts: list[str], names: list[str], columns: int, rows: int, encoding: str
) -> None:
    console = new_console(columns, rows, encoding)
    display = fill_display(console, texts, names)
    lines = display.lines(columns - 1, rows - 1)
    assert len(lines) <= rows - 1
    for line in [*(line.plain for line in lines), *display.closing_lines()]:
        line.encode(encoding)
        assert cell_len(line) <= columns - 1
        assert line.isprintable() or not line.isascii()


def test_texts_are_neither_markup_nor_commands() -> None:
    hostile = "[red]x[/red] :smile: \x1b[2J\n"
    console = new_console()
    display = fill_display(console, [hostile], [hostile, "lane"])
    screen = Screen()
    with display.area:
        screen.write(read_output(console))
    assert screen.text.count(r"[red]x[/red] :smile: \x1b[2J\n") >= 2
    assert "[red]x[/red] :smile" in "".join(display.closing_lines())


def test_many_event_texts_leave_room_for_the_rest() -> None:
    display = fill_display(new_console(), [f"text {number}" for number in range(40)])
    lines = [line.plain for line in display.lines(79, 15)]
    assert len(lines) == 15
    assert lines[0] == "street"
    assert lines[-1].endswith("text 39")  # the last event
    assert any(line == "and 34 more event texts" for line in lines)


def test_the_closing_lines_show_each_video_on_one_line() -> None:
    first, *lines = fill_display(new_console(), ["car"], ["street", "lane"]).closing_lines()
    assert first == "Scores over time (▅ and higher reach the threshold 0.5):"
    assert [line.split() for line in lines] == [
        [f"{name}:", "car", "peak", "0.90", "at", "0:00", "▁█", "▂"] for name in ("street", "lane")
    ]


def test_of_many_videos_the_highest_peaks_are_kept() -> None:
    display = RunDisplay(new_console(), 0.5, StageClock())
    display.begin([new_video(str(number)) for number in range(50)], None)
    for number in range(50):
        display.add(new_piece("car", [number / 50], new_video(str(number))))
    _, *lines, last = display.closing_lines()
    assert [line.split(":")[0] for line in lines] == [str(number) for number in range(50 - MAX_CLOSING_LINES, 50)]
    assert last == "30 more, with lower peaks, are not shown."


def test_a_run_without_scores_has_no_closing_lines() -> None:
    assert RunDisplay(new_console(), 0.5, StageClock()).closing_lines() == []


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1", "no-such-encoding", None])
def test_without_block_characters_there_are_ascii_characters(encoding: str | None) -> None:
    glyphs = Glyphs.of(encoding)
    assert f"{glyphs.levels}{glyphs.bar}{glyphs.ellipsis}".isascii()


def read_output(console: Console) -> str:
    """Return what was written to a console since the last call."""
    file = console.file
    assert isinstance(file, io.TextIOWrapper)
    file.flush()
    raw = file.buffer
    assert isinstance(raw, io.BytesIO)
    content = raw.getvalue().decode(file.encoding)
    raw.seek(0)
    raw.truncate()
    return content.replace("\n", "\r\n")  # as a terminal gets it


class Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_what_is_printed_comes_above_the_display(monkeypatch: pytest.MonkeyPatch) -> None:
    console = new_console()
    stream = Terminal(console.file.buffer, encoding="utf-8", write_through=True)  # type: ignore[attr-defined]
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", stream)
    display = fill_display(console, ["car"])
    screen = Screen()
    with show_live(display.area):
        for number in range(100):
            print_fields([str(number), "event"])
            print_message(f"message {number}")
        display.area.draw()
        screen.write(read_output(console))
        assert screen.lines[:4] == ["0       event", "message 0", "1       event", "message 1"]
        assert screen.lines[198:201] == ["99      event", "message 99", "street"]
    screen.write(read_output(console))
    assert screen.lines[198:] == ["99      event", "message 99", ""]
    assert screen.wraps


def test_a_terminal_that_becomes_narrower_keeps_no_garbage() -> None:
    console = new_console(80)
    display = fill_display(console, ["car"])
    screen = Screen(80)
    screen.write("before\r\n")
    with display.area:
        screen.write(read_output(console))
        screen.resize(40)
        console.width = 40
        display.area.draw()
        screen.write(read_output(console))
        assert screen.text.count("street") == 1
        assert screen.lines[:2] == ["before", "street"]
    screen.write(read_output(console))
    assert screen.lines == ["before", ""]
    assert not screen.n_wraps


def test_a_terminal_that_is_gone_stops_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    console = Console(file=Gone(), force_terminal=True)
    with LiveArea(console, lambda width, height: [Text("street")]) as area, area.hidden():
        area.draw()
