"""Whatever a component raises or returns wrongly is one error of its role that names it; sound ones are not touched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anyanomaly import registry
from anyanomaly.cli import main
from anyanomaly.errors import ROLE_ERRORS, BackendError, PluginError, PluginLoadError
from anyanomaly.guard import slow_calls, streams
from anyanomaly.testing.samples import TEXT, sample_queries, sample_segment
from anyanomaly.types import Crop, KeyFrames, Query

PLUGIN = str(Path(__file__).with_name("faulty_plugin.py"))
RAISED = ["raise", "exit", "generator exit", "memory", "recursion", "stop iteration"]

USES: dict[str, Any] = {
    "reader": lambda reader: list(reader.frames(reader.probe("a.faulty"), every=2)),
    "encoder": lambda encoder: encoder.encode_crops([Crop(frame) for frame in sample_segment(2).frames]),
    "selector": lambda selector: selector.select(sample_segment(4), TEXT),
    "context": lambda context: context.build(sample_segment(4), TEXT, KeyFrames(0, (0,))),
    "backend": lambda backend: (backend.load(), backend.fingerprint, list(backend.answer(queries(3)))),
    "dataset": lambda dataset: dataset.survey(),
    "sink": lambda sink: (sink.write_event(None), sink.close()),
}
WRONG_RESULTS = {
    "reader": "none,no speed,nan speed,words,no iterator,of nothing,descending,twice,half,off,back,nan time,late exit,"
    "growing",
    "encoder": "none,list,double,flat,one more,nan,long,zero",
    "selector": "none,outside,empty,descending,words",
    "context": "none,nothing,words,endless,another name,many images",
    "backend": "none,number,words,numbers,too few,twice,unknown,nan,infinite,above one,no words,"
    "unasked logprobs,greedy,silent,repeated,"
    "early,fingerprint,batch size",
    "dataset": "none,words,endless,numbers,backwards",
    "sink": "close",
}
FAULTS = [(role, fault) for role, faults in WRONG_RESULTS.items() for fault in [*faults.split(","), *RAISED]]


def queries(n_queries: int) -> Iterator[Query]:
    for query, _ in zip(sample_queries(), range(n_queries), strict=False):
        yield query


@pytest.fixture(scope="module")
def plugins() -> registry.Registry:
    return registry.load([PLUGIN])


def create(plugins: registry.Registry, role: str, fault: str) -> Any:
    return plugins.create(plugins.find(role, "faulty"), {"fault": fault})


@pytest.mark.parametrize(("role", "fault"), FAULTS)
def test_each_fault_is_an_error_of_the_role_that_names_the_component(
    plugins: registry.Registry, role: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_VIDEOS", 1000)
    with pytest.raises(ROLE_ERRORS[role], match=f"^{role.capitalize()} 'faulty' of faulty_plugin") as caught:
        USES[role](create(plugins, role, fault))
    message = str(caught.value)
    assert "\n" not in message
    assert caught.value.__cause__ is not None
    if fault in RAISED:
        assert ": no luck (" in message
        assert "faulty_plugin.py:" in message


@pytest.mark.parametrize("role", list(USES))
def test_a_sound_component_is_not_changed(plugins: registry.Registry, role: str) -> None:
    component = create(plugins, role, "")
    USES[role](component)
    assert type(component).__name__ == f"Faulty{role.capitalize()}"


def test_an_interrupt_of_python_users_is_not_taken_for_a_failure(plugins: registry.Registry) -> None:
    with pytest.raises(KeyboardInterrupt):
        USES["backend"](create(plugins, "backend", "interrupt"))


def test_an_error_in_the_stream_of_queries_is_not_the_backends(plugins: registry.Registry) -> None:
    def stream() -> Iterator[Query]:
        yield from queries(1)
        raise PluginError("The selector failed.")

    with pytest.raises(PluginError, match=r"^The selector failed\.$"):
        list(create(plugins, "backend", "").answer(stream()))


def test_a_component_that_takes_long_is_named(
    plugins: registry.Registry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(slow_calls, "POLL_S", 0.01)
    monkeypatch.setattr(slow_calls, "NOTICE_S", 0.05)
    with slow_calls.reported("Backend 'slow' of plugin", "load"):
        while not caplog.messages:
            time.sleep(0.01)
    assert caplog.messages[0].startswith("Backend 'slow' of plugin: load has taken 0 s so far")


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        ("--backend.fault exit", 5),
        ("--backend.fault nan", 5),
        ("--selector.fault exit", 2),
        ("--context.faulty.fault exit", 2),
        ("--reader.fault raise", 4),
        ("--sink faulty --sink.faulty.fault exit", 6),
    ],
)
def test_exit_codes(
    flags: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = ["--backend", "faulty", "--selector", "faulty", "--context", "faulty"]
    run = ["run", "a.faulty", "-t", "red", *parts, "--segment-frames", "8"]
    assert main(["-p", PLUGIN, *run, *flags.split()]) == code
    error = capsys.readouterr().err
    assert "'faulty' of faulty_plugin" in error.splitlines()[-1]
    assert "Traceback" not in error
    assert main(["-p", PLUGIN, "-v", *run, *flags.split()]) == code
    assert ("Traceback" in capsys.readouterr().err) == (not flags.endswith("nan"))  # which raised nothing


def test_options_and_code_that_fail(tmp_path: Path) -> None:
    source = """
from pydantic import field_validator
from anyanomaly import BackendSpec, hookimpl
from anyanomaly.api import Backend, Options
class Odd(Options):
    size: int = 1
    @field_validator("size")
    def check(cls, value):
        raise SystemExit("no luck")
class Abstract(Backend):
    pass
@hookimpl
def anyanomaly_register_backends():
    def of(name, target, options=""):
        return BackendSpec(name=name, summary="s", target=f"odd_plugin:{target}", options=options)
    options = {"odd": "odd_plugin:Odd", "abstract": "", "model": "pathlib:Path"}
    return [of(name, "Abstract", model) for name, model in options.items()]
"""
    (tmp_path / "odd_plugin.py").write_text(source)
    plugins = registry.load([str(tmp_path / "odd_plugin.py")])
    with pytest.raises(PluginError, match=r"Backend 'odd' of odd_plugin failed in its options: SystemExit: no luck"):
        plugins.check_options(plugins.find("backend", "odd"), {"size": 2})
    with pytest.raises(BackendError, match=r"failed in its constructor: TypeError: Can't instantiate abstract class"):
        plugins.create(plugins.find("backend", "abstract"), {})
    with pytest.raises(PluginLoadError, match=r"pathlib:Path is not a subclass of anyanomaly.api.Options"):
        plugins.options_model(plugins.find("backend", "model"))
