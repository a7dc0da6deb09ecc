"""Numbers beyond sense are refused, for every setting and every option of every installed component."""

from __future__ import annotations

import math

import pytest

from anyanomaly.config.model import RunConfig, RunOptions
from anyanomaly.config.times import parse_time
from anyanomaly.errors import InvalidOption, MissingRequirement, PluginLoadError
from anyanomaly.registry import Registry

ROLES = ("reader", "encoder", "gate", "selector", "context", "backend", "dataset", "sink")
EXTREMES = (10**20, -(10**20), 10**30, 10**400, 1e300, -1e300, math.nan, math.inf, -math.inf)
MAX_SEED = 2**63


def is_sensible(value: object) -> bool:
    return not isinstance(value, int | float) or (math.isfinite(value) and abs(value) < MAX_SEED)


@pytest.mark.parametrize("role", ROLES)
def test_no_option_of_a_component_takes_a_number_beyond_sense(role: str) -> None:
    registry = Registry()
    refusals: list[tuple[str, str]] = []
    for spec in registry.specs(role):
        try:
            model = registry.options_model(spec)
        except (MissingRequirement, PluginLoadError):  # its package is not installed
            continue
        for name in model.model_fields:
            for value in EXTREMES:
                try:
                    options = model.validate_values({name: value}, f"{role} '{spec.name}'")
                except InvalidOption as error:
                    refusals.append((name, str(error)))
                else:
                    assert is_sensible(getattr(options, name)), f"{role} {spec.name}: {name} = {value!r}"
    assert refusals or role == "sink"
    assert not [message for name, message in refusals if name not in message or len(message) > 1000]


def test_no_setting_of_a_run_takes_a_number_beyond_sense() -> None:
    refusals: list[tuple[str, str]] = []
    for name in RunOptions.model_fields:
        for value in EXTREMES:
            try:
                config = RunConfig.model_validate({"run": {name: value}})
            except InvalidOption as error:
                refusals.append((name, str(error)))
            else:
                assert is_sensible(getattr(config.run, name)), f"{name} = {value!r}"
    assert len(refusals) > 100
    assert not [message for name, message in refusals if name not in message or len(message) > 1000]


@pytest.mark.parametrize("time", [10**400, 1e300, math.nan, math.inf, -1, "9" * 400, "99999999:00:00", True, None])
def test_times_beyond_sense_are_refused(time: object) -> None:
    with pytest.raises(ValueError, match=r"time|late"):
        parse_time(time)


@pytest.mark.parametrize("setting", ["threshold", "segment_frames", "seed", "segment_seconds"])
def test_a_number_is_not_given_as_a_switch(setting: str) -> None:
    with pytest.raises(InvalidOption, match=f"{setting} must be a number, not true"):
        RunConfig.model_validate({"run": {setting: True}})
    assert RunConfig.model_validate({"run": {"keep_tail": False}}).run.keep_tail is False
