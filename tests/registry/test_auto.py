"""The backend ``auto`` depends on the installed backends, their declarations and the machine's devices."""

from __future__ import annotations

from typing import Any

import pytest

from anyanomaly.errors import MissingRequirement
from anyanomaly.registry import auto
from anyanomaly.registry.auto import choose_backend
from anyanomaly.specs import AutoChoice, BackendSpec

SPECS = {
    "vllm": BackendSpec(
        name="vllm", summary="s", target="t", auto=(AutoChoice(device="cuda", rank=90, reason="vLLM is installed"),)
    ),
    "torch": BackendSpec(
        name="torch",
        summary="s",
        target="t",
        auto=(
            AutoChoice(device="cuda", rank=80, reason="torch is installed", cuda_build="torch"),
            AutoChoice(device="mps", rank=80, reason="torch is installed"),
            AutoChoice(device="cpu", rank=10, reason="torch is installed, llama.cpp is not"),
        ),
    ),
    "gguf": BackendSpec(
        name="gguf", summary="s", target="t", auto=(AutoChoice(device="cpu", rank=50, reason="llama.cpp is installed"),)
    ),
    "needs-extra": BackendSpec(
        name="needs-extra",
        summary="s",
        target="t",
        auto=(AutoChoice(device="cpu", rank=99, reason="r", requires=("no-such-distribution",)),),
    ),
    "other": BackendSpec(name="other", summary="s", target="t"),
}


class Installed:
    """A registry of these backends; those in brackets lack a requirement."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def specs(self, role: str) -> list[BackendSpec]:
        return [SPECS[name.strip("()")] for name in self.names]

    def missing_requirements(self, spec: BackendSpec) -> list[str]:
        return [] if spec.name in self.names else ["something"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_up(gpu: bool, cuda_torch: bool = True) -> None:
        monkeypatch.setattr(auto, "has_nvidia_gpu", lambda: gpu)
        monkeypatch.setattr(auto, "has_apple_gpu", lambda: False)
        monkeypatch.setattr(auto, "is_cuda_build", lambda name: cuda_torch)

    return set_up


@pytest.mark.parametrize(
    ("gpu", "cuda_torch", "names", "device", "name", "reason"),
    [
        (True, True, ("vllm", "torch", "gguf"), "auto", "vllm", "there is a GPU and vLLM is installed"),
        (True, True, ("torch", "gguf"), "auto", "torch", "there is a GPU and torch"),
        (True, True, ("(vllm)", "torch"), "auto", "torch", "there is a GPU and torch"),
        (True, False, ("torch", "gguf"), "auto", "gguf", "no installed engine uses the GPU and llama.cpp"),
        (True, True, ("vllm", "torch", "gguf"), "cpu", "gguf", "the models run on the CPU and llama.cpp"),
        (False, True, ("vllm", "torch", "gguf"), "auto", "gguf", "there is no GPU and llama.cpp"),
        (False, True, ("torch", "other"), "auto", "torch", "llama.cpp is not"),
        (False, True, ("torch", "gguf"), "mps", "torch", "there is a GPU"),
        (False, True, ("vllm", "torch"), "cuda:1", "vllm", "there is a GPU"),
        (False, True, ("needs-extra", "gguf"), "auto", "gguf", "llama.cpp"),
        (False, True, ("gguf", "gguf", "torch"), "auto", "torch", "torch"),  # two plugins offer gguf
    ],
)
def test_auto_is_the_backend_with_the_highest_rank_for_the_device(
    machine: Any, gpu: bool, cuda_torch: bool, names: tuple[str, ...], device: str, name: str, reason: str
) -> None:
    machine(gpu, cuda_torch)
    choice = choose_backend(Installed(*names), device)  # type: ignore[arg-type]
    assert choice.spec.name == name
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("version", "requires", "is_cuda"),
    [
        ("2.13.0+cu128", [], True),
        ("2.13.0+cpu", ["nvidia-cublas-cu12"], False),
        ("2.13.0", ["nvidia-cublas-cu12==12.8; platform_system == 'Linux'"], True),
        ("2.13.0", ["filelock"], False),
    ],
)
def test_a_cuda_build_is_recognised_by_version_or_requirements(
    monkeypatch: pytest.MonkeyPatch, version: str, requires: list[str], is_cuda: bool
) -> None:
    monkeypatch.setattr(auto, "version", lambda name: version)
    monkeypatch.setattr(auto, "requires", lambda name: requires)
    assert auto.is_cuda_build("torch") is is_cuda


def test_without_a_backend_the_message_has_commands_to_install_one(machine: Any) -> None:
    machine(False)
    with pytest.raises(MissingRequirement, match=r"pip install .*llamacpp.*vllm\[gpu\]"):
        choose_backend(Installed("other"))  # type: ignore[arg-type]


def test_a_hidden_gpu_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not auto.has_nvidia_gpu()
