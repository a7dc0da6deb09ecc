"""Unknown settings and values that are not allowed are refused with one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from anyanomaly.config.model import ComponentChoice, PromptChoice, RunConfig, RunOptions, check_texts
from anyanomaly.errors import InvalidOption, UsageError


@pytest.mark.parametrize("model", [RunConfig, RunOptions, PromptChoice, ComponentChoice])
def test_every_setting_has_a_default_and_a_description(model: Any) -> None:
    assert model()
    assert all(field.description for field in model.model_fields.values())


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"run": {"treshold": 1}}, "There is no setting 'run.treshold'. Did you mean 'threshold'?"),
        ({"run": {"threshold": float("nan")}}, "run.threshold cannot be nan"),
        ({"run": {"segment_frames": 0}}, "run.segment_frames cannot be 0"),
        ({"run": {"smooth_seconds": float("inf")}}, "run.smooth_seconds cannot be inf"),
        ({"run": {"device": "gpu"}}, "run.device: 'gpu' is not a device; use auto, cpu, mps, cuda or cuda:N."),
        ({"prompt": {"nmae": "x"}}, "There is no setting 'prompt.nmae'. Did you mean 'name'?"),
        ({"contexts": []}, "contexts: at least one context is needed, for example: key."),
        ({"contexts": ["key", "key"]}, "contexts: a context is repeated; name each once."),
        ({"contexts": "key"}, "contexts cannot be 'key': it must be a list."),
        ({"backend": 3}, "backend cannot be 3: it must be a table."),
    ],
)
def test_invalid_settings(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOption) as error:
        RunConfig.model_validate(tables)
    assert str(error.value).startswith(message)


def test_a_table_without_a_name_holds_options_of_the_default() -> None:
    assert RunConfig(encoder={"model": "x"}).encoder == ComponentChoice(name="openclip", options={"model": "x"})


def test_python_users_get_the_same_errors() -> None:
    with pytest.raises(InvalidOption, match=r"run\.threshold cannot be 2"):
        RunOptions(threshold=2)
    with pytest.raises(UsageError, match="is repeated"):
        RunConfig(texts=("a", " a "))


def test_texts_lose_leading_and_trailing_white_space_only() -> None:
    assert check_texts([" two  words ", "<b>{x}</b>", "ä😀"]) == ("two  words", "<b>{x}</b>", "ä😀")


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\rb", "a\x00b", "a\u2028b", "a\x7fb", "x" * 501])
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="event text"):
        check_texts([text])
    assert check_texts(["x" * 500])
