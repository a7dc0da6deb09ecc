"""What a model is asked under the paper's presets, compared with the published code character by character.

Published: the repository SkiddieAhn/Paper-AnyAnomaly at ec7e9fc (MIT). Its scripts for Chat-UniVi
(``functions/chatunivi_func.py``) and MiniCPM-V (``functions/MiniCPM_func.py``) ask the same, as those for MiniGPT-4
and LLaVA++ did before they were removed (ab15b41). ``functions/qwen_vllm_func.py`` breaks the lines otherwise.
"""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.conftest import Cli
from tests.support.shared import shared

PRESETS = {"paper": "shanghaitech", "paper-avenue": "avenue"}
VARIANTS = {"simple": "0", "consideration": "1", "reason": "2", "reason-consideration": "3"}
QWEN = ("qwen-vllm", "qwen-vllm-7b", "qwen-hf", "qwen-gguf")

# functions/qwen_vllm_func.py, make_instruction; {} is the class
QWEN_START = (
    "- **Task**: Evaluate whether the given image includes **{}** on a scale from 0 to 1. \n"
    "A score of 1 means **{}** is clearly present in the image, while a score of 0 means **{}** is not present at "
    "all. \n"
    "For intermediate cases, assign a value between 0 and 1 based on the degree to which **{}** is visible.\n"
)
QWEN_CONTEXT = (
    "- **Context**: The given image represents a sequence (row 1 column 1 → row 1 column 2 → row 2 column 1 -> "
    "row 2 column 2) illustrating temporal progression.\n"
)
QWEN_END = (
    "- **Consideration**: The key is whether **{}** is present in the image, not its focus. Thus, if **{}** is "
    "present, even if it is not the main focus, assign a higher score like 1.0.\n"
    "- **OUTPUT**: Provide the score as a float, rounded to one decimal place, including a brief reason for the score "
    "in **one short sentence**.   \n"
)
QWEN_SYSTEM = "You are a vision anomaly detector."  # functions/qwen_vllm_func.py, qwen_make_messages


class Prompt(NamedTuple):
    """The system message and the question of one context."""

    system: str
    question: str


def ask(cli: Cli, text: str, *flags: str) -> dict[str, Prompt]:
    """Return what a backend is asked about one segment, by context."""
    plain = ["--encoder", "colour", "--backend", "red", "--segment-frames", "8", "--segment", "1", "-d", "page"]
    result = cli("show", "street.scene", "-t", text, *plain, *flags)
    assert result.code == 0, result.err
    (answers,) = json.loads(Path("page/answers.json").read_text(encoding="utf-8"))["texts"]
    return {context["context"]: Prompt(context["system"], context["question"]) for context in answers["contexts"]}


def published(text: str, dataset: str, variant: str, *, temporal: bool) -> str:
    """Return the question that the scripts for Chat-UniVi and MiniCPM-V put together."""
    facts: dict[str, Any] = json.loads(shared("facts", "prompt_templates.json").read_text(encoding="utf-8"))["question"]
    task, *parts = facts["variants"][VARIANTS[variant]]
    lines = [facts[task].replace("0 to 1. A score", "0 to 1.A score") if temporal else facts[task]]
    lines += [facts["temporal_context"]] if temporal else []
    lines += [facts[part] for part in parts]
    return "\n".join(lines).replace("{text}", text).replace("{output}", facts["output_word"][dataset])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("text", ["bicycle", "too_close"])
def test_the_scripts_for_chatunivi_and_minicpm(cli: Cli, preset: str, variant: str, text: str) -> None:
    prompts = ask(cli, text, "--preset", preset, "--prompt", f"published-{variant}")
    question = published(text, PRESETS[preset], variant, temporal=False)
    temporal = published(text, PRESETS[preset], variant, temporal=True)
    assert prompts == {"key": ("", question), "position": ("", question), "temporal": ("", temporal)}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_asks_as_the_published_default_does(cli: Cli, preset: str) -> None:
    prompts = ask(cli, "bicycle", "--preset", preset)
    assert prompts == ask(cli, "bicycle", "--preset", preset, "--prompt", "published-reason-consideration")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("text", ["bicycle", "too_close"])
def test_the_script_for_qwen_over_vllm(cli: Cli, folder: Path, preset: str, text: str) -> None:
    output = {"paper": "Response", "paper-avenue": "Output"}[preset]
    question = (QWEN_START + QWEN_END).replace("{}", text).replace("OUTPUT", output)
    temporal = (QWEN_START + QWEN_CONTEXT + QWEN_END).replace("{}", text).replace("OUTPUT", output)
    prompts = {"key": question, "position": question, "temporal": temporal}
    (folder / "anyanomaly.toml").write_text("[prompt.per_backend]\nred = 'published-qwen'\n")
    assert ask(cli, text, "--preset", preset) == {name: (QWEN_SYSTEM, prompt) for name, prompt in prompts.items()}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_ask_qwen_as_its_script_does(preset: str) -> None:
    tables = tomllib.loads((files("anyanomaly") / "presets" / f"{preset}.toml").read_text(encoding="utf-8"))
    assert tables["prompt"]["per_backend"] == dict.fromkeys(QWEN, "published-qwen")


def test_a_prompt_that_is_named_replaces_those_per_backend(cli: Cli, folder: Path) -> None:
    (folder / "anyanomaly.toml").write_text("[prompt.per_backend]\nred = 'published-qwen'\n")
    prompts = ask(cli, "bicycle", "--prompt", "simple")
    assert prompts["key"].question.endswith("**without any additional text or explanation**.")


# The default preset's questions: stored answers are found by them.
DEFAULT = (
    "- **Task**: Evaluate whether the given image includes **bicycle** on a scale from 0 to 1. A score of 1 means "
    "**bicycle** is clearly present in the image, while a score of 0 means **bicycle** is not present at all. For "
    "intermediate cases, assign a value between 0 and 1 based on the degree to which **bicycle** is visible.\n"
    "CONTEXT- **Consideration**: The key is whether **bicycle** is present in the image, not its focus. Thus, if "
    "**bicycle** is present, even if it is not the main focus, assign a higher score like 1.0.\n"
    "- **Response**: Provide the score as a float, rounded to one decimal place, including a brief reason for the "
    "score in **one short sentence**."
)


def test_the_default_preset_asks_as_before(cli: Cli) -> None:
    question = DEFAULT.replace("CONTEXT", "")
    temporal = DEFAULT.replace("CONTEXT", QWEN_CONTEXT)
    expected = {"key": question, "position": question, "temporal": temporal}
    assert ask(cli, "bicycle") == {name: (QWEN_SYSTEM, prompt) for name, prompt in expected.items()}
