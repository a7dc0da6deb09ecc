"""Templates of models are rendered with bounds, and see nothing but the messages."""

from __future__ import annotations

import pytest

from anyanomaly.errors import UsageError
from anyanomaly.kit import check_chat, render_chat

MESSAGES = [{"role": "user", "content": "Look."}]


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'a' * 10**10 }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ '{:>9999999999}'.format('a') }}",
        "{% set n = namespace(x='aaaaaaaa') %}{% for i in range(40) %}{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% for %}",
    ],
)
def test_a_template_that_expands_without_end_or_cannot_be_read_is_refused(source: str) -> None:
    with pytest.raises(UsageError, match="chat template of this model"):
        render_chat(source, MESSAGES, {})
    with pytest.raises(UsageError, match="chat template of this model"):
        check_chat(source, MESSAGES, {})


def test_a_template_that_only_keeps_busy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly.kit.chat_templates.LIMIT_S", 1)
    with pytest.raises(UsageError, match="more than 1 s"):
        render_chat("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", MESSAGES, {})


@pytest.mark.parametrize(
    "source",
    [
        "{{ raise_exception('no') }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ messages[3] / 0 }}",
        "{{ range(10**9)|list }}",
    ],
)
def test_a_template_that_fails_does_not_take_the_messages(source: str) -> None:
    assert render_chat(source, MESSAGES, {}) is None


def test_messages_variables_and_marks_of_training_are_rendered() -> None:
    turn = "{% generation %}[{{ m.role }}]{{ m.content|tojson }}{% endgeneration %}"
    source = "{{ bos }}{% for m in messages %}" + turn + "{% endfor %}"
    assert render_chat(source, MESSAGES, {"bos": "<s>"}) == '<s>[user]"Look."'
    check_chat({"default": source}, MESSAGES, {})  # several templates: left to the engine
