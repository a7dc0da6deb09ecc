"""Compare engines over one tiny Qwen2.5-VL and the same 60 questions: prompts, scores, tokens and seconds.

    python benchmarks/speed/engines.py [--engines transformers gguf ...] [--model FOLDER] [--video VIDEO] [--record]

The questions are five texts times four segments times three contexts, from the planner of a run. Without ``--video``
the frames are a synthetic clip; without ``--model`` the weights are random (seed 0, standard deviation 0.15). All
images are resized once, as the model's own processor does, because llama.cpp's server has other limits and would show
the model other images. Servers listen on loopback only; llama.cpp's needs the extra llama-cpp-python[server].

The script fails when an expected score differs by more than 0.02 (single precision) or 0.05 (half) from that of
transformers in float32, when the ranks differ (Spearman below 0.99), when a prompt differs, or when an expected score
takes over 4 generated tokens. Seconds are from one run; other programs on the machine make them longer.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from contexts import TEXTS, make_planner, read_segments
from results import add_record_options, record, table
from servers import server
from transformers import AutoProcessor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from anyanomaly_llamacpp.images import ImageSizing, resize  # noqa: E402
from anyanomaly_openai.backend import OpenAiBackend  # noqa: E402
from anyanomaly_openai.options import OpenAiOptions  # noqa: E402
from anyanomaly_openai.prompts import messages as as_json  # noqa: E402
from anyanomaly_openclip.encoder import OpenClipEncoder  # noqa: E402
from anyanomaly_openclip.options import OpenClipOptions  # noqa: E402
from anyanomaly_transformers.backend import TransformersBackend  # noqa: E402
from anyanomaly_transformers.options import TransformersOptions  # noqa: E402
from anyanomaly_transformers.prompts import encode_batch, render_prompt  # noqa: E402

from anyanomaly.core.expected import SCORES, expected_score  # noqa: E402
from anyanomaly.core.prompt import PromptTemplate  # noqa: E402
from anyanomaly.testing.videos import synthetic_video  # noqa: E402
from anyanomaly.types import Query, Sampling  # noqa: E402
from plugins.demo.training.export_gguf import export  # noqa: E402
from tests.support.tiny_models import make_clip, make_model  # noqa: E402

SEGMENTS = 4
SIDE = 28  # pixels of an image token's side
N_WORDS = 6  # questions also asked in words: an answer of 64 tokens takes long on a CPU
LONGEST = 2048  # tokens of a question with its answer
SINGLE = {"float32", "f32"}
ROWS = {
    "transformers": ("float32", "bfloat16"),
    "gguf": ("f32", "f16"),
    "llama.cpp server": ("f32", "f16"),
    "vllm": ("float32", "bfloat16"),
    "vllm server": ("float32", "bfloat16"),
}


def questions(folder: Path, video: str, model: Path) -> list[Query]:
    """Return the 60 questions of a run with three contexts, without sampling, their images in the model's size."""
    if not video:
        video = str(folder / "clip.mp4")
        synthetic_video(video, n_frames=SEGMENTS * 24, size=(252, 196))
    template = PromptTemplate("x", **tomllib.loads((files("anyanomaly.prompts") / "consideration.toml").read_text()))
    with OpenClipEncoder(OpenClipOptions(model=str(make_clip(folder / "clip")))) as encoder:
        planner, _ = make_planner(encoder, TEXTS, template)
        segments = read_segments(video, SEGMENTS)
        views = planner.build_contexts(segments)
        queries = [query for segment, contexts in views for query in planner.make_queries(segment, contexts)]
    limits = AutoProcessor.from_pretrained(model).image_processor.size
    sizing = ImageSizing(SIDE, limits["shortest_edge"], limits["longest_edge"])

    def at_model_size(query: Query) -> Query:
        sizes = [sizing.size(*image.shape[:2]) for image in query.images]
        pairs = zip(query.images, sizes, strict=True)
        return replace(query, images=tuple(resize(image, size, "bicubic") for image, size in pairs))

    return [at_model_size(query) for query in queries]


def open_engine(stack: ExitStack, engine: str, precision: str, model: Path, work: Path) -> Any:
    """Return a loaded backend for an engine and the model; for a server, the backend ``openai``."""
    dtype: Any = precision
    gguf = [str(path) for path in export(model, work / precision, dtype)] if dtype in {"f32", "f16"} else []
    backend: Any
    if engine == "transformers":
        backend = TransformersBackend(TransformersOptions(model=str(model), dtype=precision, device="cpu"))
    elif engine == "gguf":
        from anyanomaly_llamacpp.backend import GgufBackend
        from anyanomaly_llamacpp.options import GgufOptions

        backend = GgufBackend(GgufOptions(model=gguf[0], mmproj=gguf[1], threads=1))
    elif engine == "vllm":
        from anyanomaly_vllm.backend import VllmBackend
        from anyanomaly_vllm.options import VllmOptions

        options: Any = {"dtype": precision, "kv_cache_gib": 1, "max_model_len": LONGEST}
        backend = VllmBackend(VllmOptions(model=str(model), **options))
    else:
        log = work / f"{engine}-{precision}.log"
        if engine == "vllm server":
            arguments = f"vllm.entrypoints.openai.api_server --model {model} --dtype {precision} --enforce-eager"
            arguments += f" --max-model-len {LONGEST} --generation-config vllm --served-model-name tiny"
            command = [*arguments.split(), "--limit-mm-per-prompt", '{"image": 1, "video": 0}']
            url = stack.enter_context(server(command, "health", log))
        else:
            arguments = f"llama_cpp.server --model {gguf[0]} --clip_model_path {gguf[1]} --chat_format mtmd"
            arguments += f" --logits_all true --n_ctx {LONGEST} --n_threads 1 --n_threads_batch 1"
            url = stack.enter_context(server(arguments.split(), "v1/models", log))
        # llama.cpp's server returns the likeliest tokens: ask for all, since random weights make any token likely.
        options = {"top_logprobs": 2000, "max_inflight": 8 if engine == "vllm server" else 1}
        backend = OpenAiBackend(OpenAiOptions(base_url=url, **options))
    return stack.enter_context(backend)


def prompt_ids(engine: str, backend: Any, queries: Sequence[Query], pad: int) -> list[list[int]]:
    """Return the token ids that an engine reads, images included; for llama.cpp's server, the number of positions."""
    if engine == "transformers":
        processor = backend._loaded.processor
        return [
            encode_batch(processor, [query], [render_prompt(processor, query)])["input_ids"][0].tolist()
            for query in queries
        ]
    if engine == "vllm":
        from anyanomaly_vllm.prompts import messages

        prompts = [backend._engine.tokenise(backend._engine.write(messages(query), {})) for query in queries]
        return [list(prompt["prompt_token_ids"]) for prompt in prompts]
    if engine == "gguf":
        from anyanomaly_llamacpp.chunks import open_prompt as pieces_of

        running, ids = backend._running, []
        for query in queries:
            text = running._chat.render(query)
            with pieces_of(running._native, text, query.images, running._layout) as pieces:
                ids.append([token for piece in pieces for token in (piece.tokens or (pad,) * piece.n_tokens)])
        return ids
    limit = {"max_tokens": 1, **({"return_token_ids": True} if engine == "vllm server" else {})}
    client, name, *_ = backend._connection
    requests = [{"model": name, "messages": as_json(query, "png"), **limit} for query in queries]
    replies = [client.post("chat/completions", request) for request in requests]
    return [reply.get("prompt_token_ids") or [reply["usage"]["prompt_tokens"]] for reply in replies]


def positions(query: Query, ids: Sequence[int], pad: int) -> int:
    """Return how many positions a question takes: an image has those of its longer side, not one for each token."""
    image_positions = sum(int(max(image.shape[:2])) // SIDE for image in query.images)
    return image_positions + len(ids) - list(ids).count(pad)


def answer_all(backend: Any, queries: Sequence[Query]) -> tuple[list[Any], float, float]:
    """Return the answers, and generated tokens and seconds per question."""
    generated = 0
    if opened_server := getattr(backend, "_connection", None):
        plain = opened_server[0].post

        def counting(path: str, content: dict[str, Any]) -> dict[str, Any]:
            nonlocal generated
            reply: dict[str, Any] = plain(path, content)
            generated += reply.get("usage", {}).get("completion_tokens", 0)
            return reply

        opened_server[0].post = counting
    start = time.perf_counter()
    answers = {answer.id: answer for answer in backend.answer(queries)}
    seconds = time.perf_counter() - start
    if opened_server:
        opened_server[0].post = plain
    else:
        generated = sum(answer.output_tokens or 0 for answer in answers.values())
    return [answers[query.id] for query in queries], generated / len(queries), seconds / len(queries)


def spearman(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the correlation of ranks; equal values share their mean rank."""
    ranks = np.array([[((v < x).sum() + (v <= x).sum()) / 2 for x in v] for v in (ours, theirs)])
    return float(np.corrcoef(ranks)[0, 1])


def measure(
    engine: str, precision: str, model: Path, work: Path, queries: list[Query], reference: Any
) -> tuple[Any, Any]:
    """Return a row of the table, and the reference for later rows: image token, prompts and scores of the first row."""
    with_choices = [replace(query, sampling=Sampling(choices=SCORES)) for query in queries]
    in_words = [replace(query, sampling=Sampling()) for query in queries[:N_WORDS]]
    with ExitStack() as stack:
        start = time.perf_counter()
        backend = open_engine(stack, engine, precision, model, work)
        list(backend.answer(with_choices[:3]))  # one of each context: vLLM's engine starts with its first queries
        load_s = time.perf_counter() - start
        answers, tokens, seconds = answer_all(backend, with_choices)
        _, word_tokens, word_seconds = answer_all(backend, in_words)
        pad = reference["pad"] if reference else backend._loaded.model.config.image_token_id
        ids = prompt_ids(engine, backend, queries, pad)
    pairs = [expected_score(answer.logprobs) for answer in answers]
    scores = np.array([value for value, _ in pairs])
    reference = reference or {"pad": pad, "ids": ids, "scores": scores}
    differences = np.abs(scores - reference["scores"])
    expected_ids = reference["ids"]
    if engine == "llama.cpp server":
        expected_ids = [[positions(query, row, pad)] for query, row in zip(queries, expected_ids, strict=True)]
    n_equal = sum(a == b for a, b in zip(ids, expected_ids, strict=True))
    rho = spearman(scores, reference["scores"])
    limit = 0.02 if precision in SINGLE else 0.05
    failures = [
        condition
        for condition, holds in {
            "prompt": n_equal == len(queries),
            f"within {limit}": bool(differences.max() <= limit),
            "ranking": rho >= 0.99,
            "tokens": tokens <= 4,
        }.items()
        if not holds
    ]
    row = {
        "engine": engine,
        "precision": precision,
        "equal prompts": f"{n_equal}/{len(queries)} by {'length' if engine == 'llama.cpp server' else 'token'}",
        "largest difference": f"{differences.max():.5f}",
        "mean": f"{differences.mean():.5f}",
        "Spearman": f"{rho:.4f}",
        "median mass": f"{np.median([mass for _, mass in pairs]):.1e}",
        "tokens, expected": f"{tokens:.1f}",
        "tokens, words": f"{word_tokens:.1f}",
        "s, expected": f"{seconds:.3f}",
        "s, words": f"{word_seconds:.2f}",
        "load s": f"{load_s:.0f}",
        "fails": ", ".join(failures) or "-",
    }
    return row, reference


def description(arguments: argparse.Namespace, reference: Any) -> str:
    """Return the paragraph above the table: questions, weights, range of the scores."""
    weights = "random" if arguments.model is None else "trained"
    scores = reference["scores"]
    return (
        f"{len(scores)} questions, {weights} weights; expected scores of "
        f"transformers in float32 from {scores.min():.3f} to {scores.max():.3f}. Words: {N_WORDS} "
        f"questions, at most {Sampling().max_tokens} tokens. Seconds per question, one run, one thread per engine on a "
        f"CPU of {os.cpu_count()} cores that other programs used too."
    )


def main() -> int:
    """Measure, print, record; return 1 when an engine differs from transformers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=list(ROWS), default=list(ROWS), help="transformers first")
    parser.add_argument("--precisions", choices=("single", "both"), default="both")
    parser.add_argument("--model", type=Path, help="a folder with a trained Qwen2.5-VL")
    parser.add_argument("--video", default="")
    add_record_options(parser)
    arguments = parser.parse_args()
    rows: list[Any] = []
    reference = None
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = arguments.model or make_model("qwen2_5_vl_wide", work / "qwen")
        queries = questions(work, arguments.video, model)
        engines = ["transformers", *(engine for engine in arguments.engines if engine != "transformers")]
        for column in range(2 if arguments.precisions == "both" else 1):
            for engine in engines:
                row, reference = measure(engine, ROWS[engine][column], model, work, queries, reference)
                rows.append(row)
                print(table(rows[-1:]), flush=True)
                if arguments.record:  # after each row: finished rows stay when a later engine fails to start
                    text = f"{description(arguments, reference)}\n\n{table(rows)}"
                    record("engines", "Engines over one model", text, arguments.results)
    return any(row["fails"] != "-" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
