"""Requests: their content, how many run at once, and how answers are read."""

from __future__ import annotations

import base64
import io
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from anyanomaly_openai import anyanomaly_register_backends
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions
from anyanomaly_openai.scoring import _is_negligible
from anyanomaly_openai.top_tokens import Step, choice_logprobs
from PIL import Image

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.testing.contracts.backend import BackendContract
from anyanomaly.testing.samples import sample_queries
from anyanomaly.types import Query, Sampling
from plugins.openai.tests.conftest import OpenBackend
from plugins.openai.tests.scripted_server import (
    MODELS,
    answer_correctly,
    fail_first,
    reply_status,
    scored_answer,
    serve,
    text_answer,
)

QUERY = next(sample_queries(n_images=2))


class TestOpenAI(BackendContract):
    @pytest.fixture
    def spec(self):
        return anyanomaly_register_backends()[0]

    @pytest.fixture
    def component(self) -> Iterator[OpenAiBackend]:
        with serve(answer_correctly) as server:
            yield OpenAiBackend(OpenAiOptions(base_url=server.url, max_inflight=3))


def test_a_request_holds_the_question_and_exact_images(open_backend: OpenBackend) -> None:
    backend, server = open_backend(answer_correctly)
    sampling = Sampling(max_tokens=9, temperature=0.5, top_p=0.9, repetition_penalty=1.1, seed=3)
    query = Query(QUERY.id, QUERY.images, "Is it there?", "You look.", sampling=sampling)
    (answer,) = backend.answer_batch([query])
    (content,) = server.posted
    system, user = content.pop("messages")
    assert system == {"role": "system", "content": "You look."}
    first, second, text = user["content"]
    assert text == {"type": "text", "text": "Is it there?"}
    for part, image in zip((first, second), query.images, strict=True):
        head, _, data = part["image_url"]["url"].partition(",")
        assert head == "data:image/png;base64"
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), image)
    settings = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "repeat_penalty": 1.1, "seed": 3}
    assert content == {"model": "tiny", **settings, "chat_template_kwargs": {"enable_thinking": False}}
    assert (answer.text, answer.prompt_tokens, answer.output_tokens) == ("0.5. It is grey.", 7, 3)


def test_the_question_comes_first_with_text_first(open_backend: OpenBackend) -> None:
    backend, server = open_backend(answer_correctly, image_format="jpeg")
    backend.answer_batch([Query(QUERY.id, QUERY.images, "Is it there?", text_first=True)])
    (user,) = server.posted[0]["messages"]
    assert [part["type"] for part in user["content"]] == ["text", "image_url", "image_url"]
    assert user["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_requests_run_in_parallel_and_a_slow_one_delays_no_other(open_backend: OpenBackend) -> None:
    def script(handler: Any, content: dict[str, Any] | None) -> None:
        if content is not None:
            time.sleep(1.0 if len(server.posted) == 1 else 0.1)
        answer_correctly(handler, content)

    backend, server = open_backend(script, max_inflight=4)
    queries = [query for query, _ in zip(sample_queries(), range(12), strict=False)]
    ids = [answer.id for answer in backend.answer(queries)]
    assert sorted(ids) == [query.id for query in queries]
    assert server.most_open == 4
    assert ids.index(queries[0].id) > 3 or ids[0] != queries[0].id


def test_a_failed_request_does_not_lose_the_answers_of_others(open_backend: OpenBackend) -> None:
    def script(handler: Any, content: dict[str, Any] | None) -> None:
        if content is not None and len(server.posted) == 3:
            time.sleep(0.5)
            reply_status(400)(handler, content)
        else:
            answer_correctly(handler, content)

    backend, server = open_backend(script, max_inflight=3)
    answers = backend.answer(query for query, _ in zip(sample_queries(), range(3), strict=False))
    assert [next(answers).text for _ in range(2)] == ["0.5. It is grey."] * 2
    with pytest.raises(BackendError, match="no luck today"):
        next(answers)


@pytest.mark.parametrize(
    ("models", "options", "says"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}]}, {}, "--backend.model: a, b"),
        ({"data": []}, {}, "none listed"),
    ],
)
def test_the_model_must_be_named_unless_it_is_the_only_one(
    models: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    with serve(lambda handler, _: handler.reply(models)) as server, pytest.raises(UsageError, match=says):
        OpenAiBackend(OpenAiOptions(base_url=server.url, **options)).load()


def test_a_service_that_is_not_openai_compatible_is_refused() -> None:
    with (
        serve(lambda handler, _: handler.reply({"hello": 1})) as server,
        pytest.raises(BackendError, match="no models"),
    ):
        OpenAiBackend(OpenAiOptions(base_url=server.url)).load()


def test_scores_of_three_tokens_take_two_requests_with_a_grammar(open_backend: OpenBackend) -> None:
    backend, server = open_backend(answer_correctly)
    (answer,) = backend.answer_batch([Query(QUERY.id, QUERY.images, "?", sampling=Sampling(choices=SCORES))])
    assert len(server.scored) == 2
    assert answer.logprobs is not None
    expected = {f"0.{digit}": 0.5 * 0.5 * 0.5 ** (10 - digit) for digit in range(10)} | {"1.0": 0.25 * 0.5 * 0.5}
    assert {choice: math.exp(logprob) for choice, logprob in answer.logprobs.items()} == pytest.approx(expected)


def test_probability_beyond_the_likeliest_tokens_is_missing_and_not_estimated(open_backend: OpenBackend) -> None:
    backend, _ = open_backend(answer_correctly, top_logprobs=3)
    (answer,) = backend.answer_batch([Query(QUERY.id, QUERY.images, "?", sampling=Sampling(choices=SCORES))])
    logprobs = answer.logprobs or {}
    assert {choice for choice, logprob in logprobs.items() if logprob > -math.inf} == {"0.9", "0.8", "0.7", "1.0"}
    assert expected_score(logprobs)[1] < 0.3


def test_a_server_without_log_probabilities(open_backend: OpenBackend) -> None:
    backend, _ = open_backend(fail_first(reply_status(200, text_answer("0.9"))))
    with pytest.raises(BackendError, match=r"gives no log-probabilities.*--scoring words"):
        backend.answer_batch([Query(QUERY.id, QUERY.images, "?", sampling=Sampling(choices=SCORES))])


def test_of_a_server_without_continuation_only_the_generated_answer_is_read(open_backend: OpenBackend) -> None:
    def script(handler: Any, content: dict[str, Any] | None) -> None:
        if content is None:
            handler.reply({"data": [{"id": "tiny", "owned_by": "system"}]})
        elif "logprobs" not in content:
            answer_correctly(handler, content)
        else:
            handler.reply(scored_answer({**content, "grammar": '"0.9"'}))

    backend, server = open_backend(script)
    (answer,) = backend.answer_batch([Query(QUERY.id, QUERY.images, "?", sampling=Sampling(choices=SCORES))])
    assert len(server.scored) == 1
    assert "grammar" not in server.scored[0]
    logprobs = answer.logprobs or {}
    assert math.exp(logprobs["0.9"]) == pytest.approx(0.125)
    assert logprobs["1.0"] == -math.inf


@pytest.mark.parametrize("server", ["sglang", "ollama"])
def test_a_server_that_continues_an_answer_gets_its_prefix(open_backend: OpenBackend, server: str) -> None:
    def script(handler: Any, content: dict[str, Any] | None) -> None:
        if content is None or "logprobs" not in content:
            answer_correctly(handler, content)
            return
        last = content["messages"][-1]
        prefix = last["content"] if last["role"] == "assistant" else ""
        response = scored_answer({**content, "grammar": '"0.9"' if not prefix else '"1.0"'})
        steps = response["choices"][0]["logprobs"]["content"]
        response["choices"][0]["logprobs"]["content"] = steps[len(prefix) :]
        handler.reply(response)

    backend, scripted = open_backend(script, server=server)
    (answer,) = backend.answer_batch([Query(QUERY.id, QUERY.images, "?", sampling=Sampling(choices=SCORES))])
    assert [content["messages"][-1]["role"] for content in scripted.scored] == ["user", "assistant"]
    assert scripted.scored[1].get("continue_final_message", False) is (server == "sglang")
    assert math.exp((answer.logprobs or {})["1.0"]) == pytest.approx(0.25 * 0.25)


def test_all_token_sequences_that_spell_an_answer_count() -> None:
    """Tokens of several characters, and two token sequences with the same text."""
    tops = {
        "": {"0": math.log(0.4), "0.": math.log(0.2), "1.0": math.log(0.1), "yes": math.log(0.3)},
        "0": {".5": math.log(0.5)},
        "0.": {"5": math.log(0.25)},
    }
    prefixes: list[str] = []

    def request_steps(prefix: str) -> tuple[str, list[Step]]:
        prefixes.append(prefix)
        return prefix, [Step("?", tops[prefix])]

    logprobs = choice_logprobs(["0.5", "1.0"], request_steps, 3)
    assert prefixes == ["", "0", "0."]
    assert {choice: math.exp(logprob) for choice, logprob in logprobs.items()} == pytest.approx(
        {"0.5": 0.4 * 0.5 + 0.2 * 0.25, "1.0": 0.1}
    )


def test_negligible_prefixes_get_no_request() -> None:
    def requested_prefixes(probability_of_one: float) -> list[str]:
        tops = {
            "": {"0": 0.0, "1": math.log(probability_of_one)},
            "0": {".": 0.0},
            "0.": {"2": math.log(0.5)},
            "1": {".": 0.0},
        }
        prefixes: list[str] = []

        def request_steps(prefix: str) -> tuple[str, list[Step]]:
            prefixes.append(prefix)
            tokens = ["0", ".", "2"] if not prefix else [".", "0"]
            texts = [prefix + "".join(tokens[:length]) for length in range(len(tokens))]
            return prefix, [Step(token, tops.get(text, {})) for token, text in zip(tokens, texts, strict=True)]

        choice_logprobs(("0.2", "1.0"), request_steps, 2)
        return prefixes

    assert requested_prefixes(4e-4) == [""]  # the known answer 0.2 has the probability 0.5
    assert requested_prefixes(6e-4) == ["", "1"]


def test_negligible_is_relative_to_the_known_answers() -> None:
    """The first prefix is likely, but it is less likely that it ends in an allowed answer."""
    answers = ((0, 2), (1, 2))
    logprobs = {(): {0: math.log(0.9), 1: math.log(5e-4)}, (0,): {2: math.log(0.5)}}
    assert not _is_negligible((1,), answers, logprobs)
    assert _is_negligible((1,), answers, logprobs | {(0,): {2: math.log(0.9)}})
    assert not _is_negligible((), answers, {})


def test_a_server_is_asked_once_whether_it_gives_log_probabilities(open_backend: OpenBackend) -> None:
    backend, server = open_backend(answer_correctly)
    assert backend.gives_logprobs()
    assert all(isinstance(message["content"], str) for content in server.scored for message in content["messages"])
    backend, _ = open_backend(lambda handler, content: handler.reply(text_answer("0.9") if content else MODELS))
    assert not backend.gives_logprobs()
