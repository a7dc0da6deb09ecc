"""Responses that no sound server gives: each is an error message, within its time and size, and never a wrong score."""

from __future__ import annotations

import gzip
import json
import math
import time
import zlib
from typing import Any

import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions

from anyanomaly.core.expected import SCORES
from anyanomaly.errors import BackendError
from anyanomaly.testing.samples import sample_queries
from anyanomaly.types import Query, Sampling
from plugins.openai.tests.conftest import OpenBackend
from plugins.openai.tests.scripted_server import (
    MODELS,
    Handler,
    Script,
    fail_first,
    serve,
    text_answer,
)

WORDS = next(sample_queries())
SCORING = Query(WORDS.id, WORDS.images, "Is it there?", sampling=Sampling(choices=SCORES))
BASE: dict[str, Any] = text_answer("0.5")


def send(*parts: bytes, pause_s: float = 0.0, times: int = 1, end: bytes = b"") -> Script:
    """Return a script that sends bytes as they are; after the first part the others are repeated."""

    def script(handler: Handler, _: Any) -> None:
        handler.wfile.write(parts[0])
        for _round in range(times):
            for part in parts[1:]:
                handler.wfile.write(part)
                time.sleep(pause_s)
        handler.wfile.write(end)
        handler.close_connection = True

    return script


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a complete response."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def changed(**fields: Any) -> bytes:
    """Return the body of an answer in words with other fields in its choice."""
    return json.dumps({"choices": [{**BASE["choices"][0], **fields}]}).encode()


def scored(*positions: tuple[str, dict[str, float]], text: str = "0.5") -> bytes:
    """Return the body of an answer with log-probabilities."""
    content = [
        {
            "token": token,
            "logprob": top.get(token, -1.0),
            "top_logprobs": [{"token": name, "logprob": logprob} for name, logprob in top.items()],
        }
        for token, top in positions
    ]
    return json.dumps({"choices": [{"message": {"content": text}, "logprobs": {"content": content}}]}).encode()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DRIPS = {
    "body": send(HEAD + b"Content-Length: 100000\r\n\r\n", b" ", pause_s=0.1, times=1000),
    "headers": send(HEAD + b"X: ", b"a", pause_s=0.1, times=1000),
    "chunks": send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", pause_s=0.1, times=1000),
    "empty deflate": send(HEAD + b"Content-Encoding: gzip\r\n\r\n", b"\x00", pause_s=0.1, times=1000),
    "103 without end": send(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", pause_s=0.1, times=1000),
    "nothing": send(b"", b"", pause_s=0.1, times=1000),
}


@pytest.mark.parametrize("drip", DRIPS.values(), ids=DRIPS)
def test_a_response_that_never_ends_is_given_up(open_backend: OpenBackend, drip: Script) -> None:
    backend, _ = open_backend(fail_first(drip), timeout_seconds=0.5, retries=0)
    with pytest.raises(BackendError, match=r"gave no answer in 0\.5 s.*|cannot be read: its compression is damaged"):
        backend.answer_batch([WORDS])
    assert backend.answer_batch([WORDS])[0].text  # the next question is not harmed


def _bomb(wbits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join([packer.compress(b" " * 2**20) for _ in range(64)]) + packer.flush()


FLOODS = {
    "gzip": send(response(_bomb(31), "Content-Encoding: gzip")),
    "deflate": send(response(_bomb(15), "Content-Encoding: deflate")),
    "declared length": send(HEAD + b"Content-Length: 1000000000000000000\r\n\r\n"),
    "body without length": send(HEAD + b"\r\n", b" " * 2**16, times=64),
    "chunks": send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 2**16 + b"\r\n", times=64),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_response_that_is_too_long_is_not_read(open_backend: OpenBackend, flood: Script) -> None:
    backend, _ = open_backend(fail_first(flood), max_response_mib=0.25)
    with pytest.raises(BackendError, match=r"longer than 0\.25 MiB.*--backend\.max-response-mib"):
        backend.answer_batch([WORDS])


BODY = json.dumps(BASE).encode()


@pytest.mark.parametrize(
    "data",
    [
        response(gzip.compress(BODY), "Content-Encoding: gzip"),
        response(zlib.compress(BODY), "Content-Encoding: deflate"),
        response(BODY, "Content-Type: text/html"),
    ],
    ids=["gzip", "deflate", "HTML type"],
)
def test_an_answer_is_read_however_it_is_packed(open_backend: OpenBackend, data: bytes) -> None:
    backend, _ = open_backend(fail_first(send(data)), retries=0)
    assert [answer.text for answer in backend.answer_batch([WORDS])] == ["0.5"]


ODD_RESPONSES = {
    "brotli": (response(b"x", "Content-Encoding: br"), "compressed with 'br'"),
    "cut gzip": (response(gzip.compress(changed())[:-9], "Content-Encoding: gzip"), "not complete"),
    "no gzip": (response(changed(), "Content-Encoding: gzip"), "compression is damaged"),
    "deep": (response(b"[" * 100_000), "nested too deeply"),
    "deep objects": (response(b'{"a":' * 100_000), "nested too deeply"),
    "not UTF-8": (response('{"choices": "é"}'.encode("latin-1")), "not encoded in UTF-8"),
    "UTF-16": (response(json.dumps(BASE).encode("utf-16")), "not encoded in UTF-8"),
    "byte order mark": (response(b"\xef\xbb\xbf" + changed()), "BOM"),
    "HTML": (response(b"<html>Login</html>", "Content-Type: text/html"), "<html>Login</html>"),
    "events": (response(b"data: {}\n\n", "Content-Type: text/event-stream"), "stream of events"),
    "duplicate": (response(changed()[:-1] + b"," + changed()[1:]), "a field appears twice"),
    "NaN": (response(changed(logprobs=math.nan)), "NaN is no JSON"),
    "huge number": (response(b'{"usage": ' + b"9" * 5000 + b"}"), "not valid JSON"),
    "list": (response(b"[]"), "a list of 0, not an object"),
    "null": (response(b"null"), "null, not an object"),
    "empty": (response(b""), "not valid JSON"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "204 No Content"),
    "206": (response(changed(), status="206 Partial Content"), "206 Partial Content"),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "closed the connection"),
    "999": (response(b"", status="999 \x1b[31mOdd"), "999"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", "closed the connection"),
    "two answers": (response(json.dumps({"choices": BASE["choices"] * 2}).encode()), "choices is a list of 2"),
    "choice": (response(b'{"choices": ["0.9"]}'), r"choices\[0\] is a text"),
    "no message": (response(b'{"choices": [{"text": "0.9"}]}'), r"choices\[0\]\.message is missing"),
    "message": (response(changed(message=["0.9"])), "message is a list of 1"),
    "parts": (response(changed(message={"content": [{"type": "text", "text": "0.9"}]})), "content is a list of 1"),
    "object": (response(changed(message={"content": {"score": 0.9}})), "content is an object"),
    "number": (response(changed(message={"content": 0.9})), "content is a number"),
    "surrogate": (response(changed(message={"content": "0.9 \ud800"})), "content is a text"),
    "usage": (response(json.dumps({**BASE, "usage": [7]}).encode()), "usage is a list of 1"),
    "negative": (response(json.dumps({**BASE, "usage": {"prompt_tokens": -1}}).encode()), "prompt_tokens is a number"),
    "boolean": (response(json.dumps({**BASE, "usage": {"prompt_tokens": True}}).encode()), "prompt_tokens is a bool"),
    "count": (response(json.dumps({**BASE, "usage": {"completion_tokens": 10**30}}).encode()), "completion_tokens"),
    "reason": (response(changed(finish_reason=["length"])), "finish_reason is a list"),
}


@pytest.mark.parametrize(("data", "says"), ODD_RESPONSES.values(), ids=ODD_RESPONSES)
def test_an_odd_response_is_an_error_that_says_what_is_odd(open_backend: OpenBackend, data: bytes, says: str) -> None:
    backend, _ = open_backend(fail_first(send(data)), retries=0)
    with pytest.raises(BackendError, match=says) as error_info:
        backend.answer_batch([WORDS])
    assert len(str(error_info.value)) < 600
    assert error_info.value.__cause__ is error_info.value.__context__ is None  # they may hold what is masked


ODD_LOGPROBS = {
    "above 1": (scored(("0", {"0": 0.5})), "logprob is a number"),
    "infinite": (scored(("0", {"0": -1e999})), "Infinity is no JSON"),
    "1e999": (scored(("0", {"0": -0.125})).replace(b"-0.125", b"-1e999"), "logprob is a number: should be a finite"),
    "text": (scored(("0", {"0": "-0.5"})), "logprob is a text"),  # type: ignore[dict-item]
    "sum above 1": (scored(("0", {"0": -0.1, "1": -0.1, "2": -0.1})), "add up to 2.71"),
    "other text": (scored(("0", {"0": -0.5}), (".", {".": 0.0}), ("9", {"9": -0.5}), text="no"), "do not spell"),
    "no alternatives": (scored(("0.5", {})), "gives no log-probabilities"),
    "tokens": (scored(("0", {"0": -0.5})).replace(b'"token": "0"', b'"token": null'), "token is null"),
}


@pytest.mark.parametrize(("body", "says"), ODD_LOGPROBS.values(), ids=ODD_LOGPROBS)
def test_odd_log_probabilities_are_an_error_and_no_score(open_backend: OpenBackend, body: bytes, says: str) -> None:
    for server in ("llama.cpp", "sglang", "ollama", "other"):
        backend, _ = open_backend(fail_first(send(response(body))), retries=0, server=server)
        with pytest.raises(BackendError, match=says):
            backend.answer_batch([SCORING])


def test_tokens_without_an_alternative_that_was_requested_are_an_error_and_no_zero() -> None:
    """Of vLLM, whose log-probabilities are requested by token id."""

    def script(handler: Handler, content: dict[str, Any] | None) -> None:
        body = json.loads(scored(*[(f"token_id:{ord(char)}", {f"token_id:{ord(char)}": -0.1}) for char in "0.5"]))
        handler.reply(MODELS if content is None else body)

    with serve(script) as server:
        server.replies["/tokenize"] = lambda content: (
            200,
            {"tokens": [*map(ord, content["messages"][-1]["content"] if len(content["messages"]) > 1 else "")]},
        )
        server.replies["/detokenize"] = lambda content: (200, {"prompt": "".join(map(chr, content["tokens"]))})
        with (
            OpenAiBackend(OpenAiOptions(base_url=server.url, server="vllm", retries=0)) as backend,
            pytest.raises(BackendError, match="no log-probability for some of the requested tokens"),
        ):
            backend.answer_batch([SCORING])


def test_a_missing_answer_is_missing_and_not_zero(open_backend: OpenBackend) -> None:
    backend, _ = open_backend(fail_first(send(response(changed(message={"role": "assistant"})))))
    (answer,) = backend.answer_batch([WORDS])
    assert (answer.text, answer.value, answer.logprobs) == ("", None, None)
