"""Defaults, preset, config file and flags are merged: later ones win, and no component keeps another's options."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.config.load import (
    Layer,
    config_from_tables,
    load_settings,
    merge_layers,
    preset_names,
)
from anyanomaly.config.model import RunConfig
from anyanomaly.config.toml import to_toml


def merge(*tables: Mapping[str, object]) -> RunConfig:
    return merge_layers([Layer(f"layer {number}", table) for number, table in enumerate(tables)]).config


def test_later_layers_win_key_by_key() -> None:
    config = merge({"run": {"threshold": 0.3, "every": 2}, "texts": ["a"]}, {"run": {"threshold": 0.7}, "texts": ["b"]})
    assert (config.run.threshold, config.run.every, config.texts) == (0.7, 2, ("b",))


def test_options_go_with_the_component_they_belong_to() -> None:
    base = {"backend": {"name": "transformers", "model": "a/b"}}
    assert merge(base, {"backend": {"dtype": "float32"}}).backend.options == {"model": "a/b", "dtype": "float32"}
    assert merge(base, {"backend": {"name": "transformers"}}).backend.options == {"model": "a/b"}
    assert merge(base, {"backend": "replay"}).backend.options == {}
    assert merge({"backend": {"model": "a/b"}}, {"backend": {"name": "replay"}}).backend.options == {}


@pytest.mark.parametrize("role", ["encoder", "backend"])
def test_the_device_of_a_table_without_a_name_is_for_any_component(role: str) -> None:
    unnamed = {role: {"device": "cpu", "batch_size": 4}}
    assert getattr(merge(unnamed, {role: "other"}), role).options == {"device": "cpu"}
    named = {role: {"name": "one", "device": "cpu"}}
    assert getattr(merge(named, {role: "other"}), role).options == {}


def test_reader_options_stay_when_a_later_layer_names_the_reader() -> None:
    assert merge({"reader": {"max_side": 0}}, {"reader": "video"}).reader.options == {"max_side": 0}


def test_options_of_contexts_are_merged() -> None:
    config = merge({"context": {"key": {"weight": 1}, "position": {"large": 9}}}, {"context": {"key": {"weight": 2}}})
    assert config.context == {"key": {"weight": 2}, "position": {"large": 9}}


def test_a_length_in_frames_replaces_one_in_seconds_and_the_other_way_round() -> None:
    assert merge({"run": {"segment_seconds": 2}}, {"run": {"segment_frames": 9}}).run.segment_seconds is None
    assert merge({"run": {"smooth_frames": 15}}, {"run": {"smooth_seconds": 1}}).run.smooth_frames is None
    assert merge({"run": {"smooth_frames": 15}}, {"run": {"every": 2}}).run.smooth_frames == 15
    assert merge({"run": {"segment_frames": 9}}, {"run": {"segment_seconds": 2}}).run.segment_seconds == 2


def test_origins() -> None:
    settings = load_settings(
        [Layer("file x", {"preset": "paper", "run": {"every": 2}}), Layer("flag", {"texts": ["a"]})]
    )
    assert settings.origins["run.every"] == "file x"
    assert settings.origins["texts"] == "flag"
    assert settings.origins["run.keep_tail"] == "preset paper"
    assert "run.seed" not in settings.origins
    assert settings.config.preset == "paper"


def test_the_last_layer_that_names_a_preset_chooses_it() -> None:
    settings = load_settings([Layer("file x", {"preset": "paper"}), Layer("flag", {"preset": "paper-avenue"})])
    assert settings.config.preset == "paper-avenue"
    assert settings.origins["run.keep_tail"] == "preset paper-avenue"


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid(name: str) -> None:
    assert config_from_tables({"preset": name}).preset == name


def test_a_configuration_from_python() -> None:
    config = config_from_tables(
        {"texts": ["a"], "backend": "replay", "run": {"threshold": 0.2}, "sink": [{"path": "x.csv"}]}
    )
    assert config.backend.name == "replay"
    assert config.run.threshold == 0.2
    assert config.sink[0].options == {"path": "x.csv"}


names = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20)
values = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(names.filter(lambda name: name not in ("name", "options")), values, max_size=4))
def test_settings_survive_being_written_as_toml(options: dict[str, object]) -> None:
    config = RunConfig.model_validate(
        {
            "texts": ["a\u2009b"],
            "backend": {"name": "x", **options},
            "context": {"key": options},
            "sink": [{"path": "p"}],
        }
    )
    assert RunConfig.model_validate(tomllib.loads(to_toml(config, {}))) == config
