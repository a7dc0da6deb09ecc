"""How long a run will take, from its first answers: batches, stored answers, warm-up, gates and budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.budget import parse_budget
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.forecast import Forecast, Forecaster, count_questions
from anyanomaly.engine.planned import TextContexts
from anyanomaly.engine.settings import ClearRule, GateRule, RunSettings
from anyanomaly.types import Answer, Context, EventText, KeyFrames, QueryId, Segment, Video

FPS = 24.0
VIDEO = Video("v", "v.mp4", FPS, 24 * 1000, 8, 8)  # 1000 segments
SETTINGS = RunSettings(
    texts=("a", "b"), template=cast(PromptTemplate, None), weights={"key": 1.0, "temporal": 1.0}, segment_frames=24
)
PER_SEGMENT = 4


class ManualClock(Clock):
    """A clock that a test sets."""

    answer_s = plan_s = 0.0

    def seconds(self) -> Mapping[str, float]:
        return {"decode": self.plan_s, "answer": self.answer_s}


def forecasts(
    gaps_s: Sequence[float], settings: RunSettings = SETTINGS, *, n_reused: int = 0, plan_s: float = 0.0
) -> list[Forecast]:
    """Return the first forecast of a run whose answers come after these gaps; the first ones may be stored answers."""
    clock = ManualClock()
    announced: list[Forecast] = []

    def announce(forecast: Forecast) -> bool:
        announced.append(forecast)
        return True

    watcher = Forecaster(settings, [VIDEO], clock, announce)
    contexts = [
        TextContexts(EventText(text, settings.texts), cast(KeyFrames, None), (cast(Context, None),) * 2)
        for text in settings.texts
    ]
    n_seen = 0
    watcher.n_reused = lambda: min(n_reused, n_seen)
    for number, gap_s in enumerate(gaps_s):
        if number % PER_SEGMENT == 0:
            watcher.on_queries(cast(Segment, None), contexts, ())
            clock.plan_s += plan_s
        clock.answer_s += gap_s
        watcher.on_answer(Answer(QueryId("v", number // PER_SEGMENT, "a", "key", 0), text="0.1"))
        n_seen += 1
    return announced


def test_one_answer_at_a_time() -> None:
    (forecast,) = forecasts([14.0] * 5)
    assert forecast == Forecast(4000 - 4, 14.0, is_most=False)
    assert forecast.seconds == pytest.approx(14.0 * 3996)


def test_the_first_segment_is_awaited() -> None:
    assert forecasts([14.0] * 4) == []


@given(st.integers(1, 40), st.floats(0.05, 30), st.floats(0, 3))
def test_batches_and_a_slow_first_answer_change_little(n_batch: int, batch_s: float, warm_up_s: float) -> None:
    gaps_s = [batch_s if number % n_batch == 0 else 1e-4 * batch_s for number in range(n_batch * 60)]
    gaps_s[0] += warm_up_s
    (forecast,) = forecasts(gaps_s)
    assert forecast.seconds_per_question == pytest.approx(batch_s / n_batch, rel=0.4)


def test_stored_answers_say_nothing_of_the_rest() -> None:
    (forecast,) = forecasts([1e-4] * 400 + [2.0] * 20, n_reused=400)
    assert forecast.seconds_per_question == pytest.approx(2.0, rel=0.05)
    assert forecast.n_questions < 3600


def test_what_plans_more_slowly_than_the_backend_answers_counts() -> None:
    (forecast,) = forecasts([0.1] * 100, plan_s=8.0)
    assert forecast.seconds_per_question == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("settings", "n_questions", "is_most"),
    [
        (SETTINGS, 4000, False),
        (replace(SETTINGS, segment_seconds=2.0), 2000, False),
        (replace(SETTINGS, clear=ClearRule(0.1, 0.9)), 4000, True),
        (replace(SETTINGS, gate=GateRule()), 4000, True),
        (replace(SETTINGS, gate=GateRule(budget=parse_budget("20%"))), 800, False),
        (replace(SETTINGS, gate=GateRule(budget=parse_budget("20%")), clear=ClearRule(0.1, 0.9)), 800, True),
        (replace(SETTINGS, gate=GateRule(budget=parse_budget("60"))), 60, False),
        (replace(SETTINGS, gate=GateRule(budget=parse_budget("6/min"))), 100, False),
        (replace(SETTINGS, gate=GateRule(budget=parse_budget("100000"))), 4000, False),
    ],
)
def test_the_settings_say_how_many_questions_there_are(settings: RunSettings, n_questions: int, is_most: bool) -> None:
    assert count_questions(settings, [VIDEO], 2.0) == (n_questions, is_most)


@pytest.mark.parametrize("video", [replace(VIDEO, n_frames=None), replace(VIDEO, live=True)])
def test_a_video_of_unknown_length_has_no_forecast(video: Video) -> None:
    assert count_questions(SETTINGS, [VIDEO, video], 2.0) is None


def test_only_the_part_to_search_counts() -> None:
    assert count_questions(SETTINGS, [replace(VIDEO, section=(100.0, 110.0))], 2.0) == (40, False)
