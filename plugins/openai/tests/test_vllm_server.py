"""A real vLLM server on loopback: the scores of transformers, and a one-line error after it is killed."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions
from anyanomaly_openai.server import R, Server
from anyanomaly_openai.top_tokens import NEGLIGIBLE

from anyanomaly.core.expected import SCORES, YES_NO
from anyanomaly.errors import BackendError
from anyanomaly.testing.samples import sample_queries
from anyanomaly.types import Answer, Sampling
from tests.support.thinking_templates import TEMPLATES, ThinkingTemplate, plain_template
from tests.support.tiny_models import make_model

pytestmark = pytest.mark.engine
START_S = 420  # on a busy machine
QUERY = next(sample_queries(n_images=2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model("qwen2_5_vl", tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = (
        f"--host 127.0.0.1 --port {port} --served-model-name tiny --dtype float32 --enforce-eager --max-model-len 2048"
    )
    limits = ["--limit-mm-per-prompt", '{"image": 2, "video": 0}', "--generation-config", "vllm"]
    limits += ["--trust-request-chat-template"]  # the tests bring templates of their own
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(folder),
        *settings.split(),
        *limits,
    ]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
    try:
        deadline = time.monotonic() + START_S
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None, log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(1)
        yield process, f"http://127.0.0.1:{port}/v1"
    finally:
        _kill(process)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)  # its engine too
        process.wait()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
def test_a_thinking_template_gives_the_scores_of_a_plain_one_with_the_same_text(
    server: tuple[subprocess.Popen[bytes], str], monkeypatch: pytest.MonkeyPatch, template: ThinkingTemplate
) -> None:
    post = Server.post

    def answers(source: str, thinking: str) -> list[Answer]:
        def post_with_template(self: Server, path: str, content: dict[str, Any], kind: type[R]) -> R:
            return post(self, path, content | {"chat_template": source}, kind)

        monkeypatch.setattr(Server, "post", post_with_template)
        with OpenAiBackend(OpenAiOptions(base_url=server[1], retries=0, thinking=thinking)) as backend:
            scoring_id = QUERY.id._replace(context="scoring")  # answers are told apart by their ids
            scoring = [replace(QUERY, id=scoring_id, sampling=Sampling(choices=SCORES))] if thinking == "off" else []
            return list(backend.answer_batch([*scoring, replace(QUERY, sampling=Sampling(max_tokens=6))]))

    (score, words), (same_score, same_words) = (
        answers(source, "off") for source in (template.source(), plain_template(template.off))
    )
    if template.text == "part.text":  # else no answer can be continued, and this random model generates none
        assert score.logprobs is not None
        assert same_score.logprobs is not None
        _assert_equal_unless_negligible(score.logprobs, same_score.logprobs)
    assert (words.text, words.prompt_tokens) == (same_words.text, same_words.prompt_tokens)
    (on,), (same_on,) = (answers(source, "on") for source in (template.source(), plain_template(template.on)))
    assert (on.text, on.prompt_tokens) == (same_on.text, same_on.prompt_tokens)


def test_scores_equal_those_of_transformers_and_a_killed_server_is_a_one_line_error(
    server: tuple[subprocess.Popen[bytes], str], folder: Path
) -> None:
    from anyanomaly_transformers.backend import TransformersBackend
    from anyanomaly_transformers.options import TransformersOptions

    process, url = server
    queries = [
        query
        for choices in (SCORES, YES_NO)
        for query, _ in zip(sample_queries(sampling=Sampling(choices=choices)), range(4), strict=False)
    ]
    with TransformersBackend(TransformersOptions(model=str(folder), device="cpu")) as reference:
        expected_groups = reference.answer_batch(queries[:4]), reference.answer_batch(queries[4:])
    with OpenAiBackend(OpenAiOptions(base_url=url, retries=0)) as backend:
        for group, expected in zip((queries[:4], queries[4:]), expected_groups, strict=True):
            for answer, expected_answer in zip(backend.answer_batch(group), expected, strict=True):
                _assert_equal_unless_negligible(answer.logprobs or {}, expected_answer.logprobs or {})
        _kill(process)
        with pytest.raises(BackendError, match=r"^(Nothing answers|The server at .* closed the connection).*\.$"):
            backend.answer_batch(queries[:1])


def _assert_equal_unless_negligible(ours: Mapping[str, float], theirs: Mapping[str, float]) -> None:
    """Check that requested log-probabilities are equal, and that the others are too small to change a score."""
    requested = {choice: value for choice, value in ours.items() if value > -math.inf}
    assert ours.keys() == theirs.keys()
    assert requested == pytest.approx({choice: theirs[choice] for choice in requested}, abs=1e-4)
    missing_mass = sum(math.exp(value) for choice, value in theirs.items() if choice not in requested)
    assert missing_mass < len(ours) * NEGLIGIBLE * sum(map(math.exp, theirs.values()))
