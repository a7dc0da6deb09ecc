"""Set-up: llama.cpp is compiled once per machine and version, and the demo needs no compiler."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import compiled_wheel as wheels

ROOT = Path(__file__).parents[2]


def test_a_wheel_is_compiled_once_per_version_and_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build(requirement: str, folder: Path) -> None:
        built.append(requirement)
        (folder / f"{requirement.replace('==', '-')}-py3-none-linux_x86_64.whl").write_text("a wheel")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = wheels.compiled_wheel("some_engine==1.0", build)
    assert first.read_text() == "a wheel"
    assert first.is_relative_to(tmp_path / "anyanomaly" / "wheels")
    assert wheels.compiled_wheel("some_engine==1.0", build) == first
    assert built == ["some_engine==1.0"]
    newer = wheels.compiled_wheel("some_engine==1.1", build)
    monkeypatch.setattr(wheels, "cpu_flags", lambda: "sse4_2 avx")
    elsewhere = wheels.compiled_wheel("some_engine==1.0", build)
    assert len({first, newer, elsewhere}) == len(built) == 3


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(requirement: str, folder: Path) -> None:
        (folder / "half.whl").write_text("half")
        raise RuntimeError("no compiler")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(RuntimeError, match="no compiler"):
        wheels.compiled_wheel("some_engine==1.0", build)
    assert not list(tmp_path.rglob("*.whl"))


def test_llama_cpp_is_pinned() -> None:
    name, _, version = wheels.pinned("llama_cpp_python").partition("==")
    assert name == "llama_cpp_python"
    assert version
