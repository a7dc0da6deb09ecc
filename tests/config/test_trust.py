"""What counts in a config file of the current folder: listed settings, and what the user has accepted."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.config.load import preset_names, read_preset
from anyanomaly.config.model import PromptChoice, RunConfig, RunOptions
from anyanomaly.config.trust import guarded_settings, trust, trust_state, withdraw_trust
from anyanomaly.registry import Registry, load
from anyanomaly.specs import ROLES, SINGLE_ROLES

PLUGIN = str(Path(__file__).parents[1] / "cli" / "fake_plugin.py")
REGISTRY = load([PLUGIN])

TEXTS = ["./model", "owner/name", "https://host/v1", "/etc/passwd", "results.jsonl", "HOME", "a.toml"]
"""Values of dangerous options: folders and models to load, servers, files, names of environment variables."""

RISKY_NAMES = {"trust_remote_code", "allow_network", "base_url", "api_key_env", "ca_file", "model", "revision", "path"}


@pytest.fixture(autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the user's state folder, away from the real one."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:  # hypothesis does not take pytest's own fixture
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


def is_guarded(tables: dict[str, Any], registry: Registry = REGISTRY) -> bool:
    return bool(guarded_settings(tables, registry))


def option_tables(role: str, component: str, option: str, value: Any) -> dict[str, Any]:
    """Return a config file that sets one option of one component."""
    if role in ("context", "gate"):
        return {role: {component: {option: value}}}
    return {role: {"name": component, option: value}}


OPTIONS = [
    (role.name, spec.name, option)
    for role in ROLES
    if role.per_run != "none" and role.name != "sink"
    for spec in REGISTRY.specs(role.name)
    for option in REGISTRY.options_model(spec).model_fields
]


@pytest.mark.parametrize("value", TEXTS)
def test_no_option_of_any_installed_component_takes_a_text_unaccepted(value: str) -> None:
    options = [option for option in OPTIONS if option != ("context", "position", "contrast")]  # words to compare with
    assert len(options) > 50
    for item in (value, [value], {"x": value}):
        assert [option for option in options if not is_guarded(option_tables(*option, item))] == []


def test_no_option_that_gives_something_away_is_harmless() -> None:
    risky = [option for option in OPTIONS if option[2] in RISKY_NAMES]
    assert {option[2] for option in risky} >= {"trust_remote_code", "model", "revision", "path"}
    for value in (True, 1, "x"):
        assert [option for option in risky if not is_guarded(option_tables(*option, value))] == []


@given(
    st.sampled_from(["reader", "encoder", "gate", "selector", "context", "backend"]),
    st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12),
    st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
)
def test_an_option_that_nobody_listed_has_to_be_accepted(role: str, name: str, value: Any) -> None:
    option = f"new_{name}"
    assert guarded_settings(option_tables(role, "red", option, value), REGISTRY)[-1].endswith(f".{option}")


@pytest.mark.parametrize("table", ["run", "prompt"])
def test_a_setting_that_nobody_listed_has_to_be_accepted(table: str) -> None:
    assert guarded_settings({table: {"new_setting": 1}}, REGISTRY) == [f"{table}.new_setting"]
    assert guarded_settings({"new_table": {"x": 1}, "new_setting": 1}, REGISTRY) == ["new_table.x", "new_setting"]


def test_the_settings_of_a_run_that_have_to_be_accepted() -> None:
    guarded = {name for name in RunOptions.model_fields if is_guarded({"run": {name: True}})}
    assert guarded == {"allow_network"}  # a new setting is in it until the list of harmless ones has it
    guarded = {name for name in PromptChoice.model_fields if is_guarded({"prompt": {name: "./a.toml"}})}
    assert guarded == {"name", "reason", "per_backend"}
    assert set(RunConfig.model_fields) == {
        *("preset", "texts", "videos", "gates", "gate", "contexts", "context", "sink", "prompt", "run"),
        *SINGLE_ROLES,
    }


@pytest.mark.parametrize(
    "tables",
    [
        {"run": {"allow_network": True}},
        {"sink": [{"path": "x.json"}]},
        {"backend": "cloud"},
        {"backend": {"name": "cloud"}},
        {"backend": {"name": "red", "options": {"level": 1}}},
        {"backend": {"device": "cuda:0 --x"}},
        {"gate": {"backend": {"name": "cloud"}}},
        {"gate": {"backend": {"options": {"model": "x"}}}},
        {"gate": {"motion": {"path": "x"}}},
        {"prompt": {"name": "ask.toml"}},
        {"prompt": {"reason": "../reason"}},
        {"prompt": {"per_backend": {"red": "/tmp/ask.toml"}}},
        *({"videos": ["a.mp4", video]} for video in ("rtsp://host/x", "/dev/video0", "../a.mp4", "~/a.mp4", "C:\\a")),
        *({"videos": [video]} for video in ("concat:a|b", "\\\\host\\a.mp4", "a/../../b.mp4", "//host/a.mp4")),
    ],
    ids=str,
)
def test_settings_that_have_to_be_accepted(tables: dict[str, Any]) -> None:
    assert is_guarded(tables)


def test_settings_that_are_harmless() -> None:
    tables = {
        "preset": "paper",
        "texts": ["a person falls"],
        "videos": ["cam/*.mp4", "clip.mp4"],
        "sink": [],
        "contexts": ["key"],
        "gates": ["motion", "similarity"],
        "gate": {"motion": {"smallest": 0.02, "frames": 4}, "similarity": {"windows": [120, 80]}},
        "selector": "top",
        "encoder": {"name": "colour", "device": "cuda:1", "dtype": "float16", "batch_size": 4},
        "backend": {"name": "red", "max_pixels": 1000, "thinking": "on", "trust_remote_code": False},
        "context": {"position": {"weight": 0.3, "contrast": ["a car"], "templates": False}},
        "prompt": {"name": "consideration", "per_backend": {"red": "yes-no"}, "system": "You see.", "text_first": True},
        "run": {"threshold": 0.4, "allow_network": False, "stop": "1:30"},
    }
    RunConfig.model_validate(tables)
    assert guarded_settings(tables, REGISTRY) == []


@pytest.mark.parametrize("name", preset_names())
def test_presets_could_lie_in_any_folder(name: str) -> None:
    assert guarded_settings(read_preset(name), REGISTRY) == []


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_only_the_accepted_content_counts(content: bytes, other: bytes) -> None:
    path = Path("anyanomaly.toml")
    trust(path, content)
    assert trust_state(path, content) == "trusted"
    assert trust_state(path, other) == ("trusted" if other == content else "changed")
    assert withdraw_trust(path)
    assert trust_state(path, content) == "unknown"
    assert not withdraw_trust(path)


def test_the_same_content_in_another_folder_is_not_accepted(state: Path, tmp_path: Path) -> None:
    own, strange = tmp_path / "own" / "anyanomaly.toml", tmp_path / "strange" / "anyanomaly.toml"
    for path in (own, strange):
        path.parent.mkdir()
    own.write_bytes(b"x")
    strange.symlink_to(own)  # its relative paths mean the strange folder's files
    trust(own, b"x")
    assert (trust_state(own, b"x"), trust_state(strange, b"x")) == ("trusted", "unknown")


def test_the_record_is_the_users_alone_and_damage_ends_the_trust(state: Path) -> None:
    trust(Path("anyanomaly.toml"), b"x")
    (record,) = state.rglob("trusted/*")
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(record.parent.stat().st_mode) == 0o700
    for damage in (b"", b"\xff", record.read_bytes()[1:]):
        record.write_bytes(damage)
        assert trust_state(Path("anyanomaly.toml"), b"x") == "changed"
