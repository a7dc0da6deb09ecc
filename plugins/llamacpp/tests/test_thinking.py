"""Templates of thinking models in GGUF files: prompts, expected scores, answers in words, and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from anyanomaly_llamacpp.backend import GgufBackend
from anyanomaly_llamacpp.header import read_header
from anyanomaly_llamacpp.options import GgufOptions
from anyanomaly_llamacpp.prompts import Chat

from anyanomaly.core.expected import SCORES
from anyanomaly.core.thinking import remove_thinking
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.kit import ChatThinking, Thinking
from anyanomaly.types import Answer, Query, Sampling
from plugins.demo.training.export_gguf import Files, export
from tests.support.thinking_model import make_thinking_model
from tests.support.thinking_templates import TEMPLATES, ThinkingTemplate, plain_template

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]
SCORING = Sampling(choices=SCORES)
templates = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)


@pytest.fixture
def answer(qwen: GgufBackend, files: Files, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answer]:
    """Return a function from a chat template and a query to the answer of the loaded model."""
    header = read_header(files.model)

    def make(source: str, query: Query, thinking: Thinking = "off") -> Answer:
        chat = Chat(header | {"tokenizer.chat_template": source}, "model", ChatThinking(thinking))
        monkeypatch.setattr(qwen._running, "_chat", chat)
        return qwen.answer_batch([query])[0]

    return make


@templates
def test_scores_are_those_of_a_plain_template_with_the_same_text(
    answer: Callable[..., Answer], ask: Ask, template: ThinkingTemplate
) -> None:
    query = ask(0, system="Look.", sampling=SCORING)
    assert answer(template.source(), query) == answer(plain_template(template.off), query)


@templates
def test_words_on_and_off_are_those_of_plain_templates(
    answer: Callable[..., Answer], ask: Ask, template: ThinkingTemplate
) -> None:
    query = ask(2)
    off, on = answer(template.source(), query), answer(template.source(), query, "on")
    assert off == answer(plain_template(template.off), query)
    assert on == answer(plain_template(template.on), query, "on")
    if "think" in template.on.lower():
        assert remove_thinking(on.text) == ""  # six tokens of thoughts, cut off
    assert (off.prompt_tokens != on.prompt_tokens) is (template.off != template.on)


def test_expected_scores_with_thinking_on_are_refused(answer: Callable[..., Answer], ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"--backend\.thinking on.*--scoring words"):
        answer(plain_template(""), ask(0, sampling=SCORING), "on")


def test_a_model_that_thinks_on_its_own_is_an_error_and_its_words_keep_the_marker(tmp_path: Path, ask: Ask) -> None:
    files = export(make_thinking_model(tmp_path / "folder"), tmp_path, "f32")
    with GgufBackend(GgufOptions(model=str(files.model))) as backend:
        with pytest.raises(BackendError, match=r"thinks before it answers.*--scoring words"):
            backend.answer_batch([ask(0, sampling=SCORING)])
        assert backend.answer_batch([ask(0)])[0].text.startswith("<think>")


def test_the_fingerprint_changes_with_the_prompt_alone(files: Files) -> None:
    header = read_header(files.model)
    source = next(template for template in TEMPLATES if template.name == "enable_thinking closes").source()

    def part(source: str, thinking: Thinking) -> str:
        return Chat(header | {"tokenizer.chat_template": source}, "m", ChatThinking(thinking)).thinking_fingerprint()

    assert [part(source, "off"), part(source, "on")] == ["off", "on"]
    assert part(plain_template(""), "off") == ""
    with GgufBackend(GgufOptions(model=str(files.model), thinking="on")) as backend:
        assert "thinking=on" in backend.fingerprint
