"""What ``anyanomaly run`` says after the first answers: how long it will take, and how long with ``--preset fast``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyanomaly.cli.call import Call, FlagValues
from anyanomaly.cli.output import print_message
from anyanomaly.cli.run_flags import settings_with_preset
from anyanomaly.errors import AnyAnomalyError

if TYPE_CHECKING:
    from anyanomaly.assemble import Pipeline
    from anyanomaly.engine.clock import Clock
    from anyanomaly.engine.forecast import Forecast, Forecaster
    from anyanomaly.engine.settings import RunSettings

LONG_S = 60.0
"""A run that takes less than this needs no forecast."""
FAST = "fast"
"""The preset that is offered."""
_WORTH = 0.8
"""It is offered when it takes at most this part of the time."""


def open_forecast(pipeline: Pipeline, call: Call, flag_values: FlagValues, clock: Clock) -> Forecaster | None:
    """Return what watches the answers of a run and prints one line when it will take long; None: with a GPU.

    :param pipeline: loaded. :param clock: of the run.
    """
    from anyanomaly.engine.forecast import Forecaster
    from anyanomaly.registry.auto import device_kind

    options = pipeline.resolved.backend.options
    if device_kind(str(getattr(options, "device", None) or pipeline.config.run.device)) != "cpu":
        return None
    videos = [video for _, video in pipeline.sources]

    def announce(forecast: Forecast) -> bool:
        if forecast.seconds <= LONG_S:
            return False
        fast_s = _fast_seconds(pipeline, call, flag_values, forecast, watcher.per_text)
        print_message(f"anyanomaly: {describe(forecast, fast_s)}")
        return True

    watcher = Forecaster(pipeline.settings, videos, clock, announce)
    watcher.n_reused = lambda: pipeline.count_reused()
    return watcher


def describe(forecast: Forecast, fast_s: float | None) -> str:
    """Return the forecast as a sentence.

    :param fast_s: the most seconds that the preset would take; None: it is not worth it.
    """
    most = "at most " if forecast.is_most else ""
    rest = (
        f"without a GPU, the rest takes {most}about {duration_text(forecast.seconds)} ({most}{forecast.n_questions:,} "
        f"questions of {forecast.seconds_per_question:.3g} s)"
    )
    return f"{rest}; --preset {FAST} takes at most about {duration_text(fast_s)}." if fast_s is not None else f"{rest}."


def duration_text(seconds: float) -> str:
    """Return a duration in two figures: "50 s", "12 min", "3 h 20 min", "2 days 5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(round(minutes / 10) * 10, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} days {hours} h" if hours else f"{days} days"


def _fast_seconds(
    pipeline: Pipeline, call: Call, flag_values: FlagValues, forecast: Forecast, per_text: float
) -> float | None:
    """Return the most seconds that the same command would take with the preset; None: it is not worth it."""
    from anyanomaly.engine.forecast import count_questions

    if pipeline.config.preset == FAST:
        return None
    try:
        settings = _settings_of(call, flag_values)
    except AnyAnomalyError:  # flags that the preset does not go with, or something that is not installed
        return None
    total = count_questions(settings, [video for _, video in pipeline.sources], per_text)
    seconds = None if total is None else total[0] * forecast.seconds_per_question
    return seconds if seconds is not None and seconds <= _WORTH * forecast.seconds else None


def _settings_of(call: Call, flag_values: FlagValues) -> RunSettings:
    from anyanomaly.assemble.resolve import resolve_run

    return resolve_run(settings_with_preset(call, flag_values, FAST).config, call.registry).settings
