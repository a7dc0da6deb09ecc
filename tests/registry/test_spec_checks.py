"""What hooks return is checked field by field and within seconds; a plugin that is wrong loses only its components."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from anyanomaly import registry
from anyanomaly.errors import PluginLoadError

HEAD = """
import itertools, time
from anyanomaly import BackendSpec, hookimpl
from anyanomaly.errors import BackendError
def spec(**changes):
    return BackendSpec(**{"name": "acme", "summary": "s", "target": "acme:Acme", **changes})
@hookimpl
def anyanomaly_register_backends():
"""

WRONG_HOOKS = {
    "return None": "it returned NoneType, not a list of BackendSpec",
    "return 7": "it returned int, not a list of BackendSpec",
    "return 'acme'": "it returned a str, not a BackendSpec",
    "return (spec() for _ in itertools.count())": "it returned more than 1000 specs",
    "yield spec(); time.sleep(60)": "loading timed out after",
    "while True: pass": "loading timed out after",
    "yield spec(); raise KeyboardInterrupt('no')": "KeyboardInterrupt: no (",
    "raise BackendError('Our own.')": "Our own.",
    "return [spec(name=5)]": "the name of a backend is of type int, not str",
    "return [spec(summary=None)]": "the summary of a backend is of type NoneType, not str",
    "return [spec(target='acme')]": "the target of the backend 'acme' is 'acme', not 'package.module:Class'",
    "return [spec(options='acme.py')]": "the options of the backend 'acme' is 'acme.py', not 'package.module:Class'",
    "return [spec(requires='torch')]": "the requires of a backend is of type str, not tuple",
    "return [spec(requires=(1,))]": "the requires of the backend 'acme' must hold str only",
    "return [spec(devices={'cpu'})]": "the devices of a backend is of type set, not frozenset",
    "return [spec(max_images='2')]": "the max_images of a backend is of type str, not int",
    "return [spec(logprobs=1)]": "the logprobs of a backend is of type int, not bool",
    "return [spec(auto=('cuda',))]": "the auto of the backend 'acme' must hold AutoChoice only",
    'return [spec(install="pip \'x")]': "the install of the backend 'acme' is no command",
}


@pytest.fixture(autouse=True)
def short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.loading, "LOAD_TIMEOUT_S", 0.5)


def load(folder: Path, body: str) -> registry.Registry:
    path = folder / "acme.py"
    path.write_text(f"{HEAD}    {body}\n")
    return registry.load([str(path)])


def test_a_hook_with_arguments_that_there_are_not(tmp_path: Path) -> None:
    source = "from anyanomaly import hookimpl\n@hookimpl\ndef anyanomaly_register_backends(odd):\n    return []\n"
    (tmp_path / "odd_hook.py").write_text(source)
    with pytest.raises(PluginLoadError, match="anyanomaly_register_backends"):
        registry.load([str(tmp_path / "odd_hook.py")])


@pytest.mark.parametrize(("body", "message"), WRONG_HOOKS.items(), ids=WRONG_HOOKS)
def test_a_wrong_hook_is_one_sentence(tmp_path: Path, body: str, message: str) -> None:
    plugins = load(tmp_path, body)
    (problem,) = [problem for problem in plugins.problems if problem.plugin == "acme"]
    assert problem.message.startswith("Plugin 'acme': its hook anyanomaly_register_backends failed: ")
    assert message in problem.message
    assert problem.message.endswith("Its backends are disabled.")
    assert "acme" not in [spec.name for spec in plugins.specs("backend")]


def test_a_requirement_that_cannot_be_read_is_missing(tmp_path: Path) -> None:
    text = "no == requirement"
    plugins = load(tmp_path, f"return [spec(requires=({text!r},))]")
    (phrase,) = plugins.missing_requirements(plugins.find("backend", "acme"))
    assert phrase == f"'{text}', which is not a valid requirement"
    assert "anyanomaly" in plugins.versions(plugins.specs("backend"))


def test_a_hook_without_end_does_not_go_on_in_the_background(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    load(tmp_path, "while True: pass")
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
