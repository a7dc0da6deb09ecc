"""The backend ``auto``: which language model runs, by what is installed and what the machine has.

Looks at packages' metadata and at the GPU's device files; imports no engine and starts no driver.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from anyanomaly.errors import MissingRequirement, UnknownComponent
from anyanomaly.registry import Registry

VLLM, TRANSFORMERS, GGUF = "qwen-vllm", "qwen-hf", "qwen-gguf"
CANDIDATES = (VLLM, TRANSFORMERS, GGUF)
"""All the same model, Qwen2.5-VL 3B, so that the question what finds an event has one answer everywhere."""

NOTHING = (
    "No backend with a language model is installed. Run: pip install anyanomaly-llamacpp (for a CPU) or "
    "pip install 'anyanomaly-vllm[gpu]' (for a GPU)"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend, and why it was chosen."""

    name: str
    why: str


def choose_backend(registry: Registry, device: str = "auto") -> Choice:
    """Return the backend for this machine: vLLM on a GPU, transformers on a GPU, GGUF on the CPU, transformers on it.

    :param device: where models are to run: auto, cpu, mps, cuda or cuda:N.
    :raises MissingRequirement: when none of them is installed.
    """
    ready = {name for name in CANDIDATES if _ready(registry, name)}
    cuda = device.startswith("cuda") or (device == "auto" and has_nvidia_gpu())
    mps = device == "mps" or (device == "auto" and not cuda and has_apple_gpu())
    if cuda and VLLM in ready and _version("vllm"):
        return Choice(VLLM, "a GPU is there, and vLLM is installed")
    if (cuda and TRANSFORMERS in ready and _torch_has_cuda()) or (mps and TRANSFORMERS in ready):
        faster = "; vLLM, which is not, answers more questions at once" if cuda else ""
        return Choice(TRANSFORMERS, f"a GPU is there, and transformers is installed{faster}")
    where = "the engine that would use the GPU is not installed" if cuda or mps else "no GPU is to be used"
    if device == "auto" and not (cuda or mps):
        where = "no GPU is there"
    if GGUF in ready:
        return Choice(GGUF, f"{where}, and llama.cpp is installed")
    if TRANSFORMERS in ready:
        return Choice(TRANSFORMERS, f"{where}, and llama.cpp, whose weights are smaller, is not installed")
    raise MissingRequirement(NOTHING)


def has_nvidia_gpu() -> bool:
    """Tell whether an NVIDIA GPU can be used, without asking its driver."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()  # dxg: Linux in Windows


def has_apple_gpu() -> bool:
    """Tell whether this is a Mac whose GPU torch can use."""
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _ready(registry: Registry, name: str) -> bool:
    try:
        return not registry.missing(registry.find("backend", name))
    except (MissingRequirement, UnknownComponent):
        return False


def _torch_has_cuda() -> bool:
    """Tell a CUDA build of torch by its version or by what it requires."""
    local = _version("torch").partition("+")[2]
    if local:
        return local.startswith(("cu", "rocm"))
    return any(each.startswith(("nvidia-", "cuda-")) for each in requires("torch") or ())


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
