"""Templates of thinking models: prompts, expected scores, answers in words, and errors."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import copy
from pathlib import Path

import pytest
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.options import TransformersOptions

from anyanomaly.core.expected import SCORES
from anyanomaly.core.thinking import remove_thinking
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.kit import Thinking
from anyanomaly.types import Query, Sampling
from tests.support.thinking_model import make_thinking_model
from tests.support.thinking_templates import TEMPLATES, ThinkingTemplate, plain_template

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]
WithTemplate = Callable[..., TransformersBackend]
SCORING = Sampling(choices=SCORES)
templates = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)


@pytest.fixture
def with_template(qwen: TransformersBackend) -> WithTemplate:
    """Return a function from a chat template to a backend that shares the loaded weights of all tests."""

    def make(source: str, thinking: Thinking = "off") -> TransformersBackend:
        assert qwen._loaded is not None
        processor = copy(qwen._loaded.processor)
        processor.chat_template = source
        backend = TransformersBackend(TransformersOptions(model=qwen.options.model, thinking=thinking))
        backend._loaded = qwen._loaded._replace(processor=processor)
        return backend

    return make


@pytest.fixture
def write_model(checkpoint: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function from a chat template to a folder with a model."""

    def make(source: str) -> Path:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(checkpoint("qwen2_5_vl"), folder)
        (folder / "chat_template.jinja").write_text(source, encoding="utf-8")
        return folder

    return make


@templates
def test_scores_are_those_of_a_plain_template_with_the_same_text(
    with_template: WithTemplate, ask: Ask, template: ThinkingTemplate
) -> None:
    queries = [ask(0, sampling=SCORING), ask(1, system="Look.", sampling=SCORING)]
    ours, theirs = with_template(template.source()), with_template(plain_template(template.off))
    assert ours.answer_batch(queries) == theirs.answer_batch(queries)


@templates
def test_words_on_and_off_are_those_of_plain_templates(
    with_template: WithTemplate, ask: Ask, template: ThinkingTemplate
) -> None:
    query = ask(2)
    (off,) = with_template(template.source()).answer_batch([query])
    assert [off] == with_template(plain_template(template.off)).answer_batch([query])
    (on,) = with_template(template.source(), "on").answer_batch([query])
    (same_prompt,) = with_template(plain_template(template.on), "on").answer_batch([query])
    assert (on.text, on.prompt_tokens) == (same_prompt.text, same_prompt.prompt_tokens)
    if "think" in template.on.lower() and "</" not in template.on:
        assert remove_thinking(on.text) == ""  # six tokens of thoughts, cut off
    assert (off.prompt_tokens != on.prompt_tokens) is (template.off != template.on)


def test_expected_scores_with_thinking_on_are_refused(with_template: WithTemplate, ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"--backend\.thinking on.*--scoring words"):
        with_template(plain_template(""), "on").answer_batch([ask(0, sampling=SCORING)])


def test_a_model_that_thinks_on_its_own_is_an_error_and_its_words_keep_the_marker(tmp_path: Path, ask: Ask) -> None:
    folder = make_thinking_model(tmp_path)
    with TransformersBackend(TransformersOptions(model=str(folder), device="cpu")) as backend:
        with pytest.raises(BackendError, match=r"thinks before it answers.*--scoring words"):
            backend.answer_batch([ask(0, sampling=SCORING)])
        (answer,) = backend.answer_batch([ask(0)])
    assert answer.text.startswith("<think>")  # a special token, which other answers are decoded without


def test_the_fingerprint_changes_with_the_prompt_alone(write_model: Callable[[str], Path]) -> None:
    def fingerprint(folder: Path, thinking: Thinking) -> str:
        with TransformersBackend(TransformersOptions(model=str(folder), device="cpu", thinking=thinking)) as backend:
            return backend.fingerprint

    switch = next(template for template in TEMPLATES if template.name == "enable_thinking closes")
    folder = write_model(switch.source())
    off, on = fingerprint(folder, "off"), fingerprint(folder, "on")
    assert ("thinking=off" in off, "thinking=on" in on) == (True, True)
    assert "thinking" not in fingerprint(write_model(plain_template("")), "off")
