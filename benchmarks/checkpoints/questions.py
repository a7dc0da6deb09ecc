"""Questions of the preset `paper` about pictures of noise."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import numpy as np

from anyanomaly.core.prompt import PromptTemplate, build_prompt
from anyanomaly.types import Query, QueryId, Sampling

TEXTS = ("bicycle", "car", "person running", "throwing", "jumping", "fighting")
SYSTEM = "You are a vision anomaly detector."  # of the published script for Qwen2.5-VL
TEMPLATE = PromptTemplate(
    "published",
    **tomllib.loads((files("anyanomaly.prompts") / "published-reason-consideration.toml").read_text(encoding="utf-8")),
)
PROMPTS = tuple(build_prompt(TEMPLATE, text) for text in TEXTS)


def question(number: int, size: tuple[int, int], sampling: Sampling, with_system: bool) -> Query:
    """Return a question.

    :param size: width and height of the picture in pixels.
    """
    picture = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Query(
        QueryId("made", number, TEXTS[number % len(TEXTS)], "key"),
        (picture,),
        PROMPTS[number % len(TEXTS)],
        system=SYSTEM if with_system else "",
        sampling=sampling,
    )
