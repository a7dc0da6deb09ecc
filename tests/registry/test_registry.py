"""Plugins are loaded in isolation: sound components are offered, faulty ones are reported in one sentence."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from anyanomaly import registry
from anyanomaly.errors import (
    InvalidOption,
    MissingRequirement,
    PluginConflict,
    PluginLoadError,
    UnknownComponent,
    UsageError,
)

HEAD = "from anyanomaly import BackendSpec, ReaderSpec, hookimpl\n"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that installs a plugin, with metadata as pip writes it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, source: str) -> None:
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(HEAD + source)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[anyanomaly]\n{name} = {name}\n")

    return install


def backends(body: str) -> str:
    return f"@hookimpl\ndef anyanomaly_register_backends():\n    {body}\n"


def spec(name: str = "acme", target: str = "nowhere:Nothing", **more: object) -> str:
    extra = "".join(f", {key}={value!r}" for key, value in more.items())
    return f"BackendSpec(name={name!r}, summary='s', target={target!r}{extra})"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
        ("def broken(:", "line 2"),
        (
            "@hookimpl\ndef anyanomaly_register_backendz():\n    return []\n",
            "unknown hook 'anyanomaly_register_backendz'",
        ),
        (backends("raise ValueError('bad day')"), "ValueError: bad day"),
        (backends("return 7"), "not a list of BackendSpec"),
        (
            backends("return [ReaderSpec(name='r', summary='s', target='t:T')]"),
            "returned a ReaderSpec, not a BackendSpec",
        ),
        (backends(f"return [{spec('Not Kebab')}]"), "'Not Kebab' is not in kebab-case"),
    ],
)
def test_a_faulty_plugin_is_one_sentence_and_the_others_work(installed, source: str, message: str) -> None:
    installed("faulty_plugin", source)
    installed("sound_plugin", backends(f"return [{spec('sound')}]"))
    plugins = registry.load()
    (problem,) = [problem for problem in plugins.problems if problem.plugin == "faulty_plugin"]
    assert message in problem.message
    assert "\n" not in problem.message
    assert plugins.find("backend", "sound").name == "sound"
    assert plugins.find("selector", "top").name == "top"


def test_a_hook_that_hangs_disables_only_the_components_of_its_role(installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.loading, "LOAD_TIMEOUT_S", 0.2)
    readers = "@hookimpl\ndef anyanomaly_register_readers():\n    import time; time.sleep(30)\n"
    installed("slow_plugin", readers + backends(f"return [{spec('quick')}]"))
    plugins = registry.load()
    assert "timed out after 0.2 s" in plugins.problems[0].message
    assert plugins.find("backend", "quick")


def test_plugin_loading_does_not_time_out_when_the_machine_is_under_load(
    installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.loading, "LOAD_TIMEOUT_S", 0.01)
    monkeypatch.setattr(registry.loading, "_cpu_wait_s", lambda thread: 60.0)
    installed("waiting_plugin", "import time; time.sleep(0.1)\n" + backends(f"return [{spec('quick')}]"))
    plugins = registry.load()
    assert not plugins.problems
    assert plugins.find("backend", "quick")


def test_a_plugin_can_be_disabled_by_name(installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("faulty_plugin", "raise RuntimeError")
    monkeypatch.setenv("ANYANOMALY_DISABLE_PLUGINS", "other, faulty_plugin")
    assert not registry.load().problems


@pytest.mark.parametrize(
    ("source", "variable", "message"),
    [
        ("raise RuntimeError('no luck')", "", "not available. Plugin 'ours_plugin' is disabled: RuntimeError: no luck"),
        ("", "ours_plugin", "not available. Plugin 'ours_plugin' is disabled. Remove it from the variable ANYANOMALY_"),
        ("", "", "not installed. Run: "),  # an older version, without the backend: the command installs the newer one
    ],
)
def test_the_component_of_a_disabled_plugin_is_not_to_be_installed_again(
    installed, monkeypatch: pytest.MonkeyPatch, source: str, variable: str, message: str
) -> None:
    monkeypatch.setitem(registry.FIRST_PARTY_PACKAGES, ("backend", "ours"), "ours_plugin[gpu]")
    monkeypatch.setenv("ANYANOMALY_DISABLE_PLUGINS", variable)
    installed("ours_plugin", source)
    with pytest.raises(MissingRequirement, match=f"Backend 'ours' is {re.escape(message)}"):
        registry.load().find("backend", "ours")


def test_a_name_offered_twice_fails_only_when_used(installed) -> None:
    installed("one_plugin", backends(f"return [{spec('twin')}, {spec('single')}]"))
    installed("two_plugin", backends(f"return [{spec('twin')}]"))
    plugins = registry.load()
    assert [spec.name for spec in plugins.specs("backend")].count("twin") == 2
    assert plugins.find("backend", "single")
    with pytest.raises(PluginConflict, match=r"'one_plugin' and 'two_plugin'.*ANYANOMALY_DISABLE_PLUGINS=one_plugin"):
        plugins.find("backend", "twin")


def test_plugin_files_in_conflict_cannot_be_disabled_by_name(tmp_path: Path) -> None:
    for name in ("first_file", "second_file"):
        (tmp_path / f"{name}.py").write_text(HEAD + backends(f"return [{spec('twin')}]"))
    plugins = registry.load([str(tmp_path / "first_file.py"), str(tmp_path / "second_file.py")])
    with pytest.raises(PluginConflict, match=r"'twin'\. Rename the component in one of them\."):
        plugins.find("backend", "twin")


def test_requirements_are_checked_from_metadata_before_the_import(installed) -> None:
    lacking = spec(
        requires=("numpy>=99", "no-such-dist", "nothing; python_version < '3'"), install="pip install acme[all]"
    )
    installed("needy_plugin", backends(f"return [{lacking}]"))
    plugins = registry.load()
    with pytest.raises(
        MissingRequirement, match=r"needs numpy>=99, found \S+ and no-such-dist\. Run: .*pip install 'acme\[all\]'"
    ):
        plugins.check_requirements(plugins.find("backend", "acme"))


def test_one_of_several_distributions_is_enough(installed) -> None:
    one_installed = spec(name="one", requires=("no-such-dist>=1 | numpy>=1",))
    none_installed = spec(name="none", requires=("no-such-dist>=1 | no-other-dist>=1",))
    too_old = spec(name="old", requires=("no-such-dist>=1 | numpy>=99",))
    installed("either_plugin", backends(f"return [{one_installed}, {none_installed}, {too_old}]"))
    plugins = registry.load()
    specs = {name: plugins.find("backend", name) for name in ("one", "none", "old")}
    missing = {name: plugins.missing_requirements(entry) for name, entry in specs.items()}
    assert missing["one"] == []
    assert missing["none"] == ["no-such-dist>=1 or no-other-dist>=1"]
    assert missing["old"][0].startswith("numpy>=99, found ")


def test_code_that_cannot_be_imported_or_is_of_another_role(installed) -> None:
    two = f"return [{spec('gone')}, {spec('wrong', target='pathlib:Path')}]"
    installed("broken_plugin", backends(two))
    plugins = registry.load()
    with pytest.raises(
        PluginLoadError,
        match=r"'gone' of broken_plugin 1\.0 failed in the import of nowhere:Nothing: ModuleNotFoundError",
    ):
        plugins.create(plugins.find("backend", "gone"), {})
    with pytest.raises(PluginLoadError, match=r"pathlib:Path is not a subclass of anyanomaly.api.Backend"):
        plugins.create(plugins.find("backend", "wrong"), {})


def test_options_are_checked_by_the_components_own_model() -> None:
    plugins = registry.load()
    position = plugins.find("context", "position")
    with pytest.raises(InvalidOption, match=r"Context 'position' has no option 'strid'. Did you mean 'stride'"):
        plugins.create(position, {"strid": True})
    with pytest.raises(InvalidOption, match=r"option 'large' cannot be 999"):
        plugins.create(position, {"large": 999})


@pytest.mark.parametrize(
    ("uri", "name"), [("a.MP4", "video"), ("a.unheard", "video"), ("frames/*.png", "images"), (".", "images")]
)
def test_the_reader_follows_the_source(uri: str, name: str) -> None:
    assert registry.load().reader_for(uri).name == name


def test_readers_of_third_parties_come_before_the_built_in_ones(installed) -> None:
    body = "return [ReaderSpec(name='fast', summary='s', target='t:T', suffixes=frozenset({'.mp4'})),"
    body += " ReaderSpec(name='rtsp', summary='s', target='t:T', schemes=frozenset({'rtsp'}), live=True)]"
    installed("reader_plugin", f"@hookimpl\ndef anyanomaly_register_readers():\n    {body}\n")
    plugins = registry.load()
    assert plugins.reader_for("a.mp4").name == "fast"
    assert plugins.reader_for("rtsp://cam/1").name == "rtsp"
    with pytest.raises(UsageError, match="No reader takes ftp://"):
        plugins.reader_for("ftp://x/a.mp4")


def test_an_unknown_name_suggests_a_similar_one_and_lists_all() -> None:
    with pytest.raises(
        UnknownComponent, match=r"Unknown selector 'tpo'\. Did you mean 'top'\? Installed: group-then-top"
    ):
        registry.load().find("selector", "tpo")


@pytest.mark.parametrize(
    ("content", "message"), [("x = ", "line 1"), (None, "no such file"), ("import nope_nope", "nope")]
)
def test_a_plugin_file_of_the_command_line_must_work(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "my_plugin.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PluginLoadError, match=message):
        registry.load([str(path)])
