"""A configuration to what the engine is told; prompt templates from their files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from anyanomaly.config.load import read_toml
from anyanomaly.config.model import RunConfig
from anyanomaly.core.events import EventRule
from anyanomaly.core.expected import SCORES, YES_NO
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.settings import ReasonRule, RunSettings
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.types import Sampling


def run_settings(config: RunConfig, weights: Mapping[str, float], backend: str) -> RunSettings:
    """Return the engine's settings. ``weights``: per context.

    :raises UsageError: when the weights are all 0 or a segment is shorter than the step between frames read.
    """
    run = config.run
    if not any(weights.values()):
        raise UsageError("All contexts have weight 0, so nothing would count; give one a weight above 0.")
    if run.segment_seconds is None and run.every > run.segment_frames:
        raise UsageError(
            f"With every {run.every}th frame read, segments of {run.segment_frames} frames would be empty; "
            f"lower --every or raise --segment-frames."
        )
    choices = {"expected": SCORES, "yes-no": YES_NO}.get(run.scoring, ())
    if run.reason_above is not None and not choices:
        raise UsageError(
            f"With --scoring {run.scoring} every answer has words already; --reason-above goes with "
            f"--scoring expected or yes-no."
        )
    return RunSettings(
        texts=config.texts,
        template=_template(config, scoring_prompt(config, backend)),
        weights=weights,
        scoring=run.scoring,
        sampling=Sampling(
            max_tokens=run.max_tokens,
            temperature=run.temperature,
            top_p=run.top_p,
            repetition_penalty=run.repetition_penalty,
            seed=run.seed,
            choices=choices,
        ),
        reason=None
        if run.reason_above is None
        else ReasonRule(run.reason_above, _template(config, config.prompt.reason)),
        segment_frames=run.segment_frames,
        segment_seconds=run.segment_seconds,
        every=run.every,
        keep_tail=run.keep_tail,
        smooth_seconds=run.smooth_seconds,
        smooth_frames=run.smooth_frames,
        rule=EventRule(run.threshold, run.merge_seconds, run.min_event_seconds),
        lookahead_bytes=run.lookahead_mib * 2**20,
        max_unreadable=run.max_unreadable,
    )


def scoring_prompt(config: RunConfig, backend: str) -> str:
    """Return the name, or file, of the template that asks for the score.

    :param backend: name of the run's backend, never ``auto``: a preset may hold a template of its own for it.
    """
    if template := (config.prompt.per_backend or {}).get(backend):
        return template
    if config.prompt.name != "auto":
        return config.prompt.name
    return {"expected": "consideration", "yes-no": "yes-no"}.get(config.run.scoring, "reason-consideration")


def _template(config: RunConfig, name: str) -> PromptTemplate:
    choice = config.prompt
    fields = _read(name)
    given = {"output_word": choice.output_word, "system": choice.system, "text_first": choice.text_first}
    fields |= {key: value for key, value in given.items() if value is not None}
    try:
        return PromptTemplate(name=Path(name).stem, **fields)
    except (TypeError, ValueError) as error:
        raise InvalidOption(f"Prompt '{name}' cannot be used: {error}.") from error


def _read(name: str) -> dict[str, Any]:
    """Read a template: one of ours by name, or a file of the same form."""
    if name.endswith(".toml"):
        return read_toml(Path(name), "prompt file")
    known = files("anyanomaly") / "prompts"
    names = sorted(each.name.removesuffix(".toml") for each in known.iterdir() if each.name.endswith(".toml"))
    if name not in names:
        raise InvalidOption(f"There is no prompt '{name}'. Use one of {', '.join(names)}, or a .toml file.")
    return tomllib.loads((known / f"{name}.toml").read_text(encoding="utf-8"))
