"""Which backend ``auto`` is, for what is installed and what the machine has."""

from __future__ import annotations

from typing import Any

import pytest

from anyanomaly.errors import MissingRequirement, UnknownComponent
from anyanomaly.registry import auto
from anyanomaly.registry.auto import choose_backend

CUDA_TORCH = {"torch": "2.13.0+cu128", "vllm": "0.32.0"}


class Installed:
    """A registry of these backends; those in brackets are offered and lack a requirement."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def find(self, role: str, name: str) -> str:
        if name in self.names or f"({name})" in self.names:
            return name
        raise UnknownComponent(name)

    def missing(self, spec: str) -> list[str]:
        return [] if spec in self.names else ["something"]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(gpu: bool, versions: dict[str, str], torch_requires: list[str] | None = None) -> None:
        monkeypatch.setattr(auto, "has_nvidia_gpu", lambda: gpu)
        monkeypatch.setattr(auto, "has_apple_gpu", lambda: False)
        monkeypatch.setattr(auto, "_version", lambda name: versions.get(name, ""))
        monkeypatch.setattr(auto, "requires", lambda name: torch_requires or [])

    return made


@pytest.mark.parametrize(
    ("gpu", "names", "versions", "device", "chosen", "why"),
    [
        (True, ("qwen-vllm", "qwen-hf", "qwen-gguf"), CUDA_TORCH, "auto", "qwen-vllm", "vLLM is installed"),
        (True, ("qwen-hf", "qwen-gguf"), CUDA_TORCH, "auto", "qwen-hf", "a GPU is there"),
        (True, ("(qwen-vllm)", "qwen-hf"), CUDA_TORCH, "auto", "qwen-hf", "vLLM, which is not"),
        (True, ("qwen-vllm", "qwen-gguf"), {"vllm": ""}, "auto", "qwen-gguf", "the engine that would use the GPU"),
        (True, ("qwen-hf", "qwen-gguf"), {"torch": "2.13.0+cpu"}, "auto", "qwen-gguf", "llama.cpp is installed"),
        (True, ("qwen-vllm", "qwen-hf", "qwen-gguf"), CUDA_TORCH, "cpu", "qwen-gguf", "no GPU is to be used"),
        (False, ("qwen-vllm", "qwen-hf", "qwen-gguf"), CUDA_TORCH, "auto", "qwen-gguf", "no GPU is there"),
        (False, ("qwen-hf",), CUDA_TORCH, "auto", "qwen-hf", "llama.cpp, whose weights are smaller, is not installed"),
        (False, ("qwen-hf",), {}, "mps", "qwen-hf", "a GPU is there"),
        (False, ("qwen-vllm", "qwen-hf"), CUDA_TORCH, "cuda:1", "qwen-vllm", "a GPU is there"),
    ],
)
def test_the_choice_and_its_reason(
    machine: Any, gpu: bool, names: tuple[str, ...], versions: dict[str, str], device: str, chosen: str, why: str
) -> None:
    machine(gpu, versions)
    choice = choose_backend(Installed(*names), device)  # type: ignore[arg-type]
    assert choice.name == chosen
    assert why in choice.why


def test_a_torch_without_a_word_on_cuda_in_its_version_is_told_by_what_it_requires(machine: Any) -> None:
    machine(True, {"torch": "2.13.0"}, ["nvidia-cublas-cu12==12.8; platform_system == 'Linux'"])
    assert choose_backend(Installed("qwen-hf", "qwen-gguf")).name == "qwen-hf"  # type: ignore[arg-type]
    machine(True, {"torch": "2.13.0"}, ["filelock"])
    assert choose_backend(Installed("qwen-hf", "qwen-gguf")).name == "qwen-gguf"  # type: ignore[arg-type]


def test_with_nothing_installed_the_commands_that_help_are_named(machine: Any) -> None:
    machine(False, {})
    with pytest.raises(MissingRequirement, match=r"pip install anyanomaly-llamacpp.*anyanomaly-vllm"):
        choose_backend(Installed())  # type: ignore[arg-type]


def test_a_gpu_that_is_hidden_from_programs_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not auto.has_nvidia_gpu()
