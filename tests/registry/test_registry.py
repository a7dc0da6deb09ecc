"""Plugins as they come: what is found, what is refused, and that one harms no other."""

from __future__ import annotations

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
    """Install plugins as pip would leave them."""
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
    ("source", "says"),
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
        (backends("return [ReaderSpec(name='r', summary='s', target='t')]"), "gave a ReaderSpec, not a BackendSpec"),
        (backends(f"return [{spec('Not Kebab')}]"), "'Not Kebab' is not in lower-case-with-dashes"),
    ],
)
def test_a_faulty_plugin_is_one_sentence_and_the_others_work(installed, source: str, says: str) -> None:
    installed("faulty_plugin", source)
    installed("sound_plugin", backends(f"return [{spec('sound')}]"))
    found = registry.load()
    (problem,) = [each for each in found.problems if each.plugin == "faulty_plugin"]
    assert says in problem.message
    assert "\n" not in problem.message
    assert found.find("backend", "sound").name == "sound"
    assert found.find("selector", "top").name == "top"


def test_a_hook_that_hangs_loses_its_own_role_only(installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.loading, "PATIENCE_S", 0.2)
    readers = "@hookimpl\ndef anyanomaly_register_readers():\n    import time; time.sleep(30)\n"
    installed("slow_plugin", readers + backends(f"return [{spec('quick')}]"))
    found = registry.load()
    assert "still busy after 0.2 s" in found.problems[0].message
    assert found.find("backend", "quick")


def test_a_plugin_that_waits_for_a_busy_machine_is_not_slow(installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.loading, "PATIENCE_S", 0.01)
    monkeypatch.setattr(registry.loading, "_queued_s", lambda thread: 60.0)
    installed("waiting_plugin", "import time; time.sleep(0.1)\n" + backends(f"return [{spec('quick')}]"))
    found = registry.load()
    assert not found.problems
    assert found.find("backend", "quick")


def test_a_plugin_can_be_disabled_by_name(installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed("faulty_plugin", "raise RuntimeError")
    monkeypatch.setenv("ANYANOMALY_DISABLE_PLUGINS", "other, faulty_plugin")
    assert not registry.load().problems


def test_a_name_offered_twice_fails_only_when_used(installed) -> None:
    installed("one_plugin", backends(f"return [{spec('twin')}, {spec('single')}]"))
    installed("two_plugin", backends(f"return [{spec('twin')}]"))
    found = registry.load()
    assert [each.name for each in found.specs("backend")].count("twin") == 2
    assert found.find("backend", "single")
    with pytest.raises(PluginConflict, match=r"'one_plugin' and 'two_plugin'.*ANYANOMALY_DISABLE_PLUGINS=one_plugin"):
        found.find("backend", "twin")


def test_requirements_are_checked_from_metadata_before_the_import(installed) -> None:
    lacking = spec(
        requires=("numpy>=99", "no-such-dist", "nothing; python_version < '3'"), install="pip install acme[all]"
    )
    installed("needy_plugin", backends(f"return [{lacking}]"))
    found = registry.load()
    with pytest.raises(
        MissingRequirement, match=r"needs numpy>=99, found \S+ and no-such-dist\. Run: .*pip install 'acme\[all\]'"
    ):
        found.check(found.find("backend", "acme"))


def test_one_of_several_distributions_is_enough(installed) -> None:
    one = spec(name="one", requires=("no-such-dist>=1 | numpy>=1",))
    none = spec(name="none", requires=("no-such-dist>=1 | no-other-dist>=1",))
    old = spec(name="old", requires=("no-such-dist>=1 | numpy>=99",))
    installed("either_plugin", backends(f"return [{one}, {none}, {old}]"))
    found = registry.load()
    missing = {name: found.missing(found.find("backend", name)) for name in ("one", "none", "old")}
    assert missing["one"] == []
    assert missing["none"] == ["no-such-dist>=1 or no-other-dist>=1"]
    assert missing["old"][0].startswith("numpy>=99, found ")


def test_code_that_cannot_be_imported_or_is_of_another_role(installed) -> None:
    two = f"return [{spec('gone')}, {spec('wrong', target='pathlib:Path')}]"
    installed("broken_plugin", backends(two))
    found = registry.load()
    with pytest.raises(PluginLoadError, match=r"'gone' of broken_plugin 1\.0 cannot be imported"):
        found.create(found.find("backend", "gone"), {})
    with pytest.raises(PluginLoadError, match=r"pathlib:Path is no Backend"):
        found.create(found.find("backend", "wrong"), {})


def test_options_are_checked_by_the_components_own_model() -> None:
    found = registry.load()
    position = found.find("context", "position")
    with pytest.raises(InvalidOption, match=r"Context 'position' has no option 'strid'. Did you mean 'stride'"):
        found.create(position, {"strid": True})
    with pytest.raises(InvalidOption, match=r"option 'large' cannot be 999"):
        found.create(position, {"large": 999})


@pytest.mark.parametrize(
    ("uri", "name"), [("a.MP4", "video"), ("a.unheard", "video"), ("frames/*.png", "images"), (".", "images")]
)
def test_the_reader_follows_the_source(uri: str, name: str) -> None:
    assert registry.load().reader_for(uri).name == name


def test_third_parties_come_before_the_built_ins(installed) -> None:
    body = "return [ReaderSpec(name='fast', summary='s', target='t', suffixes=frozenset({'.mp4'})),"
    body += " ReaderSpec(name='rtsp', summary='s', target='t', schemes=frozenset({'rtsp'}), live=True)]"
    installed("reader_plugin", f"@hookimpl\ndef anyanomaly_register_readers():\n    {body}\n")
    found = registry.load()
    assert found.reader_for("a.mp4").name == "fast"
    assert found.reader_for("rtsp://cam/1").name == "rtsp"
    with pytest.raises(UsageError, match="No reader takes ftp://"):
        found.reader_for("ftp://x/a.mp4")


def test_unknown_names_suggest_and_list() -> None:
    with pytest.raises(
        UnknownComponent, match=r"Unknown selector 'tpo'\. Did you mean 'top'\? Installed: group-then-top"
    ):
        registry.load().find("selector", "tpo")


@pytest.mark.parametrize(
    ("content", "says"), [("x = ", "line 1"), (None, "no such file"), ("import nope_nope", "nope")]
)
def test_a_plugin_asked_for_by_file_must_work(tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "asked_for.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PluginLoadError, match=says):
        registry.load([str(path)])
