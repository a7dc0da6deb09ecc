"""Count the tokens that an engine evaluates for one text and for five texts about the same images, and the seconds.

    python benchmarks/speed/texts.py [--engines transformers gguf] [--model FOLDER] [--segments N] [--record]

Every segment has three images of random pixels, as the contexts of a run with one key frame for all texts; questions
come text by text, context by context. "separate" evaluates each question with its image from the first token to the
last, as an engine without a prefix cache does; "shared" is what the backend does. Without ``--model`` the weights
are random. The script fails when five texts evaluate more image tokens than one, or when a score depends on what is
shared by more than 0.001. Seconds are from one run; other programs on the machine make them longer.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from results import add_record_options, record, table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from anyanomaly.assemble.prompts import load_template  # noqa: E402
from anyanomaly.config.model import RunConfig  # noqa: E402
from anyanomaly.core.expected import SCALES, Scale, expected_score  # noqa: E402
from anyanomaly.core.prompt import build_prompt  # noqa: E402
from anyanomaly.types import Answer, Query, QueryId, Sampling  # noqa: E402
from tests.support.tiny_models import make_model  # noqa: E402

TEXTS = ("bicycle", "car", "person who falls", "dog on a lead", "smoke")
TEMPLATES = {"tenths": "consideration", "digits": "consideration-digits", "letters": "consideration-letters"}
N_CONTEXTS = 3
LARGEST_DIFFERENCE = 0.001


def questions(texts: Sequence[str], n_segments: int, side: int, scale: Scale) -> Iterator[Query]:
    """Yield the questions of a run, in its order."""
    template = load_template(RunConfig(), TEMPLATES[scale])
    for segment in range(n_segments):
        random = np.random.default_rng(segment)
        images = [random.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(N_CONTEXTS)]
        for text in texts:
            for context, image in enumerate(images):
                yield Query(
                    QueryId("video", segment, text, str(context)),
                    (image,),
                    build_prompt(template, text),
                    system=template.system,
                    sampling=Sampling(choices=SCALES[scale]),
                )


def open_backend(stack: ExitStack, engine: str, model: Path, work: Path) -> Any:
    """Return a loaded backend."""
    if engine == "transformers":
        from anyanomaly_transformers.backend import TransformersBackend
        from anyanomaly_transformers.options import TransformersOptions

        return stack.enter_context(TransformersBackend(TransformersOptions(model=str(model))))
    from anyanomaly_llamacpp.backend import GgufBackend
    from anyanomaly_llamacpp.options import GgufOptions

    from plugins.demo.training.export_gguf import export

    files = export(model, work / "gguf", "f16")
    return stack.enter_context(GgufBackend(GgufOptions(model=str(files.model), mmproj=str(files.mmproj))))


def answer_separately(backend: Any, engine: str, queries: Sequence[Query]) -> list[Answer]:
    """Return the answers to questions of which each is evaluated completely."""
    if engine == "transformers":
        backend._answerer.can_share = False
        return list(backend.answer(queries))
    answers = []
    for query in queries:
        backend._running._decoder.close()  # which empties the prefix cache
        answers += backend.answer_batch([query])
    return answers


def measure(
    engine: str, model: Path, work: Path, queries: Sequence[Query], *, shares: bool
) -> tuple[dict[str, Any], Any]:
    """Return a row of the table without its first columns, and the score of each question."""
    with ExitStack() as stack:
        backend = open_backend(stack, engine, model, work)
        warm_up = [replace(queries[0], images=(np.zeros_like(queries[0].images[0]),))]
        list(backend.answer(warm_up))
        image, text = backend.evaluated.image, backend.evaluated.text
        start_s = time.perf_counter()
        answers = list(backend.answer(queries)) if shares else answer_separately(backend, engine, queries)
        seconds = time.perf_counter() - start_s
        image, text = backend.evaluated.image - image, backend.evaluated.text - text
    scores = {answer.id: expected_score(answer.logprobs or {})[0] for answer in answers}
    row = {"image tokens": f"{image:,}", "text tokens": f"{text:,}", "seconds": f"{seconds:.2f}", "n_image": image}
    return row, scores


def main() -> None:
    """Measure, print the table, and fail when image tokens are evaluated again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", default=["transformers", "gguf"], choices=["transformers", "gguf"])
    parser.add_argument("--model", type=Path, help="folder of a Qwen2.5-VL; default: a tiny one with random weights")
    parser.add_argument("--segments", type=int, default=4)
    parser.add_argument("--side", type=int, default=280, help="pixels of an image's side")
    parser.add_argument("--scale", default="digits", choices=list(SCALES))
    add_record_options(parser)
    options = parser.parse_args()
    rows, failures = [], []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        model = options.model or make_model("qwen2_5_vl", work / "model")
        for engine in options.engines:
            all_scores, n_image = {}, {}
            for n_texts in (1, len(TEXTS)):
                queries = list(questions(TEXTS[:n_texts], options.segments, options.side, options.scale))
                for shares in (False, True):
                    row, scores = measure(engine, model, work, queries, shares=shares)
                    n_image[n_texts, shares], all_scores[shares] = row.pop("n_image"), scores
                    way = "shared" if shares else "separate"
                    rows.append({"engine": engine, "texts": n_texts, "images": way, "questions": len(queries), **row})
                    print(rows[-1], flush=True)
                difference = max(abs(all_scores[True][key] - all_scores[False][key]) for key in all_scores[True])
                if not difference <= LARGEST_DIFFERENCE:
                    failures.append(f"{engine}: a score differs by {difference:.4f}")
            if n_image[len(TEXTS), True] != n_image[1, True]:
                failures.append(
                    f"{engine}: five texts evaluate {n_image[5, True]:,} image tokens, one {n_image[1, True]:,}"
                )
    text = table(rows)
    print(f"\n{text}")
    if options.record:
        record("texts", "Several texts about the same images", text, options.results)
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    main()
