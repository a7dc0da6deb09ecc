"""Right responses of every endpoint with odd or missing values in them: an answer that holds, or an error of ours."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.core.expected import SCORES
from anyanomaly.errors import AnyAnomalyError
from anyanomaly.testing.samples import sample_queries
from anyanomaly.types import Sampling
from plugins.openai.tests.scripted_server import MODELS, Handler, scored_answer, serve, text_answer
from plugins.openai.tests.test_thinking import generate

WORDS = next(sample_queries())
SCORING = replace(WORDS, id=WORDS.id._replace(context="scoring"), sampling=Sampling(choices=SCORES))

ODD_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", "token_id:x", "token_id:-1", 10**40, -1, [], {}, "<think>", "{{", "x" * 3000]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value within a JSON value."""
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


def mutate(value: Any, odd_values: list[Any], random: Random) -> Any:
    """Return a JSON value in which some values are odd or missing, as many as there are ``odd_values``."""
    value = copy.deepcopy(value)
    for odd_value in odd_values:
        paths = [path for path in places(value) if path]
        if not paths:
            return odd_value
        *parents, key = random.choice(paths)
        parent = value
        for step in parents:
            parent = parent[step]
        if isinstance(parent, dict) and random.random() < 0.3:
            del parent[key]
        else:
            parent[key] = odd_value
    return value


def prompt_of(content: dict[str, Any]) -> str:
    """Return a prompt as the chat template of vLLM's or llama.cpp's server writes it."""
    question, *answer = [turn["content"] for turn in content["messages"]]
    return f"user:{question}|assistant:{''.join(answer)}"


def tokenise(content: dict[str, Any]) -> dict[str, Any]:
    return {"tokens": [ord(char) for char in content.get("prompt") or prompt_of(content)]}


def complete(content: dict[str, Any]) -> dict[str, Any]:
    """Return an answer in words, or with the log-probabilities that were requested."""
    if "logprobs" not in content:
        return text_answer("0.5")
    if "logprob_token_ids" in content:
        return generate(content)
    return scored_answer({"grammar": '"0.5" "1.0"', "top_logprobs": 20})


RIGHT: dict[str, Callable[[dict[str, Any]], Any]] = {
    "/v1/models": lambda _: MODELS,
    "/v1/chat/completions": complete,
    "/tokenize": tokenise,
    "/detokenize": lambda content: {"prompt": "".join(map(chr, content["tokens"]))},
    "/apply-template": lambda content: {"prompt": prompt_of(content)},
}


@pytest.mark.parametrize("kind", ["vllm", "llama.cpp", "other"])
@settings(deadline=None, max_examples=25)
@given(odd_path=st.sampled_from(sorted(RIGHT)), odd_values=st.lists(ODD_VALUES, max_size=2), seed=st.integers(0, 2**32))
def test_no_response_of_any_endpoint_causes_anything_but_an_error_of_ours(
    kind: Any, odd_path: str, odd_values: list[Any], seed: int
) -> None:
    random = Random(seed)

    def reply(path: str, content: dict[str, Any]) -> Any:
        right = RIGHT[path](content)
        return mutate(right, odd_values, random) if path == odd_path else right

    def script(handler: Handler, content: dict[str, Any] | None) -> None:
        handler.reply(reply(handler.path, content or {}))

    error = None
    with serve(script) as server:
        for path in ("/tokenize", "/detokenize", "/apply-template"):
            server.replies[path] = lambda content, path=path: (200, reply(path, content))
        try:
            with OpenAiBackend(OpenAiOptions(base_url=server.url, server=kind, retries=0)) as backend:
                answers = backend.answer_batch([WORDS, SCORING])
        except AnyAnomalyError as raised:
            error = raised
    if error is None:
        for answer in answers:
            answer.text.encode()
            assert all(count is None or count >= 0 for count in (answer.prompt_tokens, answer.output_tokens))
            assert all(logprob <= 0 for logprob in (answer.logprobs or {}).values())
    else:
        assert odd_values
        assert "\n" not in str(error)
