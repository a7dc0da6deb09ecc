"""Which presets load, answer in words and give expected scores in which engine, on tiny checkpoints.

    python benchmarks/speed/presets.py [--families qwen3 lfm2 ...] [--engines transformers vllm llama.cpp] [--record]

Each family's tiny random checkpoint answers the same nine questions in each engine, on this machine's CPU: in a batch,
in the same batch again, and alone. The reference is transformers in float32, in a batch. The script fails when an
engine fails, or when an expected score differs by more than 0.02. Published weights are not run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from results import add_record_options, record, table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import anyanomaly_llamacpp  # noqa: E402
import anyanomaly_transformers  # noqa: E402
import anyanomaly_vllm  # noqa: E402

from anyanomaly.errors import AnyAnomalyError  # noqa: E402
from tests.support.engine_scores import ask_engine, ask_transformers, ask_vllm  # noqa: E402
from tests.support.tiny_models import make_model  # noqa: E402

LIMIT = 0.02  # largest difference of an expected score


class Family(NamedTuple):
    """Presets of one architecture."""

    presets: tuple[str, ...]  # without the engine's suffix
    checkpoint: str  # a name of tests/support/tiny_models.py
    gguf_checkpoint: str = ""  # for llama.cpp, where it needs another


FAMILIES = {
    "qwen3": Family(("qwen3",), "qwen3_vl"),
    "qwen35": Family(("qwen35",), "qwen3_5"),
    "internvl35": Family(("internvl35",), "internvl3_5"),
    "minicpm46": Family(("minicpm46",), "minicpmv4_6"),
    "gemma4": Family(("gemma4",), "gemma4", "gemma4_bidirectional"),
    "smolvlm": Family(("smolvlm", "smolvlm-256m", "smolvlm-500m"), "smolvlm"),
    "lfm2": Family(("lfm2",), "lfm2_vl"),
    "glm46v": Family(("glm46v",), "glm4v"),
}
ENGINES = {
    "transformers": ("hf", anyanomaly_transformers),
    "vllm": ("vllm", anyanomaly_vllm),
    "llama.cpp": ("gguf", anyanomaly_llamacpp),
}
REMARKS = {
    ("qwen35", "vllm"): "bfloat16: vLLM's delta net on a CPU takes nothing else",
    ("minicpm46", "vllm"): "bfloat16: vLLM's delta net on a CPU takes nothing else",
    ("internvl35", "llama.cpp"): "llama.cpp adds the position embeddings shifted by one patch",
    ("gemma4", "llama.cpp"): "a checkpoint whose image tokens see each other, beside its own reference",
}


def preset_names(family: Family, engine: str) -> list[str]:
    """Return the presets of a family that an engine offers."""
    suffix, plugin = ENGINES[engine]
    offered = {spec.name for spec in plugin.anyanomaly_register_backends()}
    return [name for prefix in family.presets if (name := f"{prefix}-{suffix}") in offered]


def ask_llamacpp(folder: Path, work: Path) -> dict[str, Any]:
    """Return the answers of llama.cpp to a checkpoint, converted to GGUF; ``error`` where it fails."""
    from anyanomaly_llamacpp.backend import GgufBackend
    from anyanomaly_llamacpp.options import GgufOptions

    from tests.support.tiny_gguf import export

    files = export(folder, work)
    try:
        with GgufBackend(GgufOptions(model=str(files.model), mmproj=str(files.mmproj))) as backend:
            return ask_engine(backend)
    except AnyAnomalyError as error:
        return {"error": str(error)}


def row(key: str, engine: str, answers: Mapping[str, Any], reference: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of the table."""
    presets = preset_names(FAMILIES[key], engine)
    cells = {"family": key, "engine": engine, "presets": ", ".join(presets) or "not offered"}
    remark = REMARKS.get((key, engine), "")
    if "error" in answers:
        return cells | {"loads": "no", "words": "-", "expected": "-", "difference": "-", "remark": answers["error"]}
    difference = max(
        abs(ours - theirs)
        for name in ("scores", "again", "alone")
        for ours, theirs in zip(answers[name], reference["scores"], strict=True)
    )
    same_prompts = answers["prompt_tokens"] == reference["prompt_tokens"]
    return cells | {
        "loads": "yes",
        "words": "yes" if answers["words"] == reference["words"] or all(answers["words"]) else "no",
        "expected": "yes" if min(answers["mass"]) > 0 else "no",
        "difference": f"{difference:.5f}",
        "remark": "; ".join(filter(None, [remark, "" if same_prompts else "prompts differ in length"])) or "-",
    }


def measure(keys: Sequence[str], engines: Sequence[str], work: Path) -> list[dict[str, Any]]:
    """Return a row per family and engine."""
    folders = {key: make_model(FAMILIES[key].checkpoint, work / key) for key in keys}
    references = {key: ask_transformers(model=str(folder)) for key, folder in folders.items()}
    by_engine = {"transformers": references}
    if "vllm" in engines:
        vllm_answers = ask_vllm(*({"model": str(folder)} for folder in folders.values()))
        by_engine["vllm"] = dict(zip(keys, vllm_answers, strict=True))
    rows = []
    for key in keys:
        for engine in engines:
            reference = references[key]
            if engine == "llama.cpp":
                folder = folders[key]
                if FAMILIES[key].gguf_checkpoint:
                    folder = make_model(FAMILIES[key].gguf_checkpoint, work / f"{key}-gguf-source")
                    reference = ask_transformers(model=str(folder))
                answers = ask_llamacpp(folder, work / f"{key}-gguf")
            else:
                answers = by_engine[engine][key]
            rows.append(row(key, engine, answers, reference))
    return rows


def main() -> int:
    """Measure, print, record; return 1 when an engine fails or differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    add_record_options(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(arguments.families, arguments.engines, Path(folder))
    text = (
        "Tiny random checkpoints of each architecture, nine questions (one image of six sizes, two and three images, "
        "none), on a CPU. Difference: the largest of an expected score from that of transformers in float32, over "
        f"all questions in a batch, again, and alone; at most {LIMIT}. Published weights were not run.\n\n"
        + table(rows)
    )
    print(text)
    if arguments.record:
        record("presets", "Presets by engine", text, arguments.results)
    return int(any(line["difference"] == "-" or float(line["difference"]) > LIMIT for line in rows))


if __name__ == "__main__":
    sys.exit(main())
