"""Derive the settings of the engine from a configuration."""

from __future__ import annotations

from collections.abc import Mapping

from anyanomaly.assemble.prompts import load_template, scoring_prompt
from anyanomaly.config.model import RunConfig, RunOptions
from anyanomaly.core.budget import parse_budget
from anyanomaly.core.events import EventRule
from anyanomaly.core.expected import SCALES, YES_NO
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.settings import ClearRule, GateRule, ReasonRule, RunSettings
from anyanomaly.errors import UsageError
from anyanomaly.types import Sampling


def run_settings(config: RunConfig, weights: Mapping[str, float], backend: str) -> RunSettings:
    """Return the engine's settings.

    :param weights: of the contexts' scores, by name. :param backend: name of the run's backend, never ``auto``.
    :raises UsageError: when all weights are 0, a segment is shorter than the step between frames, reasons or a
        scale do not fit the scoring, or a prompt does not exist or asks for another scale.
    """
    run = config.run
    check_weights(weights)
    if run.segment_seconds is None and run.every > run.segment_frames:
        raise UsageError(
            f"--every {run.every} is more than --segment-frames {run.segment_frames}, so segments would be empty; "
            f"lower --every or raise --segment-frames."
        )
    assert run.scoring != "auto", "decide_scoring comes first"
    clear = clear_rule(run)
    choices = {"expected": SCALES[run.scale], "yes-no": YES_NO}.get(run.scoring, ())
    if run.scale != "tenths" and run.scoring != "expected":
        raise UsageError(
            f"--scale {run.scale} applies to --scoring expected only, and this run has --scoring {run.scoring}. "
            "Omit it, or use --scoring expected with a backend that gives log-probabilities."
        )
    if run.reason_above is not None and not choices:
        raise UsageError(
            f"--reason-above does not apply to --scoring {run.scoring}, whose answers already have words. Omit it, or "
            f"use --scoring expected or yes-no."
        )
    return RunSettings(
        texts=config.texts,
        template=_scoring_template(config, backend),
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
        else ReasonRule(run.reason_above, load_template(config, config.prompt.reason)),
        gate=_gate_rule(config),
        clear=clear,
        segment_frames=run.segment_frames,
        segment_seconds=run.segment_seconds,
        every=run.every,
        frames_per_second=run.frames_per_second,
        keep_tail=run.keep_tail,
        smooth_seconds=run.smooth_seconds,
        smooth_frames=run.smooth_frames,
        rule=event_rule(run),
        lookahead_bytes=run.lookahead_mib * 2**20,
        max_unreadable=run.max_unreadable,
    )


def _scoring_template(config: RunConfig, backend: str) -> PromptTemplate:
    """:raises UsageError: when the prompt does not exist, or asks for another scale than the run reads."""
    name, scale = scoring_prompt(config, backend), config.run.scale
    template = load_template(config, name)
    is_unknown = name.endswith(".toml") and not template.scale  # a file of the user, who knows what it asks for
    asked_scale = template.scale or "tenths"
    if config.run.scoring == "expected" and asked_scale != scale and not is_unknown:
        raise UsageError(
            f"The prompt '{name}' asks for a score in {asked_scale}, and this run reads {scale}. Use --scale "
            f"{asked_scale}, or omit --prompt."
        )
    return template


def _gate_rule(config: RunConfig) -> GateRule | None:
    """:raises UsageError: for a budget without a gate."""
    run = config.run
    if not config.gates:
        if run.budget is not None:
            raise UsageError(f"--budget {run.budget} needs a gate that says where to ask first. Add one: --gate motion")
        return None
    return GateRule(run.gate_rule, run.gate_above, parse_budget(run.budget) if run.budget else None)


def clear_rule(run: RunOptions) -> ClearRule | None:
    """Return where the first context alone is enough; None: nowhere. :raises UsageError: when the limits overlap."""
    if run.clear_below is None and run.clear_above is None:
        return None
    below = -1.0 if run.clear_below is None else run.clear_below
    above = 2.0 if run.clear_above is None else run.clear_above
    if below >= above:
        raise UsageError(f"--clear-below {below:g} must be less than --clear-above {above:g}.")
    return ClearRule(below, above)


def event_rule(run: RunOptions) -> EventRule:
    """Return the rule by which smoothed scores become events."""
    return EventRule(run.threshold, run.merge_seconds, run.min_event_seconds)


def check_weights(weights: Mapping[str, float]) -> None:
    """:raises UsageError: when all weights are 0."""
    if not any(weights.values()):
        raise UsageError("All contexts have weight 0, so there would be no score; set one weight above 0.")
