"""Live displays of the commands, on standard error while that is a terminal. rich is imported only when it is used."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import open_live_console, show_live

if TYPE_CHECKING:
    from anyanomaly.assemble import Pipeline
    from anyanomaly.cli.run_display import RunDisplay
    from anyanomaly.config.model import RunConfig
    from anyanomaly.engine.clock import Clock
    from anyanomaly.engine.writing import Outcome
    from anyanomaly.types import Video

UpdateBar: TypeAlias = Callable[[str, float, float | None], None]
"""Receives the name of what is worked on, how much is done, and how much there is (None: unknown)."""


def open_run_display(config: RunConfig, call: Call, clock: Clock) -> RunDisplay | None:
    """Return the live display of a run; None with ``--quiet``, and where lines of a terminal cannot change.

    :param clock: of the run.
    """
    outputs = [str(sink.options.get("path", "-")) for sink in config.sink]
    console = None if call.quiet else open_live_console(outputs)
    if console is None:
        return None
    from anyanomaly.cli.run_display import RunDisplay

    return RunDisplay(console, config.run.threshold, clock)


def follow_run(
    pipeline: Pipeline, display: RunDisplay | None, outcomes: Iterable[Outcome]
) -> Generator[Outcome, None, None]:
    """Yield the outcomes of a run over all videos, and show them on the terminal if there is a display."""
    if display is None:
        yield from outcomes
        return
    videos = [video for _, video in pipeline.sources]
    lengths = [_expected_frames(video) for video in videos]
    n_frames = None if None in lengths else sum(length for length in lengths if length is not None)
    display.begin(videos, n_frames and n_frames * len(pipeline.config.texts), lambda: pipeline.report)
    with show_live(display.area):
        for outcome in outcomes:
            display.add(outcome)
            yield outcome


def _expected_frames(video: Video) -> int | None:
    """Return about how many frames of a video or of its section will be read; None: unknown."""
    start_s, stop_s = video.section
    n_frames = video.n_frames if math.isinf(stop_s) else round(stop_s * video.fps)
    if n_frames is None:
        return None
    return max(0, min(n_frames, video.n_frames or n_frames) - round(start_s * video.fps))


@contextlib.contextmanager
def show_bar(call: Call, unit: str) -> Iterator[UpdateBar]:
    """Show a progress bar until the end of the block, where `open_run_display` would show a run.

    :param unit: what is counted, in the plural. :returns: the function that moves the bar.
    """
    console = None if call.quiet else open_live_console([])
    if console is None:
        yield lambda name, n_done, n_total: None
        return
    from anyanomaly.cli.bar_display import BarDisplay

    display = BarDisplay(console, unit)
    with show_live(display.area):
        yield display.update
