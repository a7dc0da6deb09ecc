"""What the engine is told for each way to score."""

from __future__ import annotations

from typing import Any

import pytest

from anyanomaly.assemble.run_settings import run_settings
from anyanomaly.config.load import config_from_tables
from anyanomaly.core.expected import SCALES, SCORES, YES_NO, Scale
from anyanomaly.engine.settings import RunSettings
from anyanomaly.errors import UsageError


def told(**run: Any) -> RunSettings:
    return run_settings(config_from_tables({"texts": ("bicycle",), "run": run}), {"key": 1.0}, "red")


@pytest.mark.parametrize(
    ("scoring", "choices", "asks", "ends"),
    [
        ("words", (), "reason-consideration", "a brief reason for the score in **one short sentence**."),
        ("expected", SCORES, "consideration", "**without any additional text or explanation**."),
        ("yes-no", YES_NO, "yes-no", "Answer yes or no, **without any additional text or explanation**."),
    ],
)
def test_each_scoring_has_a_question_that_ends_as_it_is_read(
    scoring: str, choices: tuple[str, ...], asks: str, ends: str
) -> None:
    settings = told(scoring=scoring)
    assert settings.sampling.choices == choices
    assert settings.template.name == asks
    assert settings.template.question.strip().endswith(ends)
    assert settings.reason is None


def test_reasons_are_asked_for_as_words_are() -> None:
    reason = told(scoring="expected", reason_above=0.6).reason
    assert reason is not None
    assert (reason.above, reason.template) == (0.6, told(scoring="words").template)


@pytest.mark.parametrize("scoring", ["words", "published"])
def test_words_are_a_reason_already(scoring: str) -> None:
    with pytest.raises(UsageError, match="--scoring expected or yes-no"):
        told(scoring=scoring, reason_above=0.5)


@pytest.mark.parametrize(
    ("scale", "ends"),
    [("digits", "Provide the score as one digit from 0 to 9"), ("letters", "Answer with one letter from A to E")],
)
def test_each_scale_has_a_question_that_asks_for_its_answers(scale: Scale, ends: str) -> None:
    settings = told(scoring="expected", scale=scale)
    assert settings.sampling.choices == SCALES[scale]
    assert settings.template.name == f"consideration-{scale}"
    assert f"{ends}, **without any additional text or explanation**." in settings.template.question


def test_a_scale_needs_an_expected_score_and_a_question_that_asks_for_it() -> None:
    for scoring in ("words", "published", "yes-no"):
        with pytest.raises(UsageError, match="--scale digits applies to --scoring expected only"):
            told(scoring=scoring, scale="digits")
    for name, scale in (("simple", "digits"), ("consideration-letters", "digits"), ("consideration-digits", "tenths")):
        tables = {"texts": ("bicycle",), "run": {"scoring": "expected", "scale": scale}, "prompt": {"name": name}}
        with pytest.raises(UsageError, match=f"this run reads {scale}"):
            run_settings(config_from_tables(tables), {"key": 1.0}, "red")
