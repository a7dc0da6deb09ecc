"""The backend ``auto``: the installed backend that declares the highest rank for the device of the run.

Reads the metadata of packages and the device files of GPUs; does not import engines or call the driver of a GPU.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from anyanomaly.errors import MissingRequirement
from anyanomaly.install import install_command
from anyanomaly.registry import Registry, missing_requirement
from anyanomaly.specs import AutoChoice, BackendSpec


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """The backend that ``auto`` stands for, and the reason."""

    spec: BackendSpec
    reason: str  # ends the sentence "backend NAME, because ..."


def choose_backend(registry: Registry, device: str = "auto") -> BackendChoice:
    """Return the installed backend with the highest rank for a device; for a GPU that no backend uses, one for the CPU.

    :param device: of the models: auto, cpu, mps, cuda or cuda:N.
    :raises MissingRequirement: when no backend that suits ``auto`` is installed.
    """
    kind = device_kind(device)
    gpu_choices = sorted(_usable_choices(registry, kind), key=_rank) if kind != "cpu" else []
    choices = gpu_choices or sorted(_usable_choices(registry, "cpu"), key=_rank)
    if not choices:
        raise MissingRequirement(
            f"No backend with a language model is installed. For a CPU run: {install_command('anyanomaly-llamacpp')} "
            f"For a GPU run: {install_command('anyanomaly-vllm[gpu]')}"
        )
    choice, spec = choices[-1]
    if kind == "cpu":
        where = "there is no GPU" if device == "auto" else "the models run on the CPU"
    else:
        where = "there is a GPU" if gpu_choices else "no installed engine uses the GPU"
    return BackendChoice(spec, f"{where} and {choice.reason}")


def device_kind(device: str = "auto") -> str:
    """Return cpu, cuda or mps; for ``auto``, the kind of device that this machine has."""
    if device != "auto":
        return device.partition(":")[0]
    return "cuda" if has_nvidia_gpu() else "mps" if has_apple_gpu() else "cpu"


def has_nvidia_gpu() -> bool:
    """Return whether an NVIDIA GPU can be used; does not call its driver."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1"):
        return False
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/dxg").exists()  # dxg: GPU in WSL


def has_apple_gpu() -> bool:
    """Return whether this is a Mac with a GPU that torch can use."""
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _usable_choices(registry: Registry, kind: str) -> Iterator[tuple[AutoChoice, BackendSpec]]:
    """Yield the declarations of usable backends for a kind of device; skip names that two plugins offer."""
    specs = [spec for spec in registry.specs("backend") if isinstance(spec, BackendSpec)]
    names = [spec.name for spec in specs]
    for spec in specs:
        for choice in spec.auto:
            if choice.device == kind and names.count(spec.name) == 1 and _is_usable(registry, spec, choice):
                yield choice, spec


def _is_usable(registry: Registry, spec: BackendSpec, choice: AutoChoice) -> bool:
    if registry.missing_requirements(spec) or any(map(missing_requirement, choice.requires)):
        return False
    return not choice.cuda_build or is_cuda_build(choice.cuda_build)


def _rank(candidate: tuple[AutoChoice, BackendSpec]) -> tuple[int, str]:
    """Return a sort key: by rank, then by name, so that the choice does not depend on the order of plugins."""
    choice, spec = candidate
    return choice.rank, spec.name


def is_cuda_build(distribution: str) -> bool:
    """Return whether a distribution is installed as a CUDA or ROCm build, from its version or its requirements."""
    try:
        local = version(distribution).partition("+")[2]
    except PackageNotFoundError:
        return False
    if local:
        return local.startswith(("cu", "rocm"))
    return any(text.startswith(("nvidia-", "cuda-")) for text in requires(distribution) or ())
