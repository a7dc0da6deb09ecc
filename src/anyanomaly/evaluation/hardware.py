"""A description of the machine, for results."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from anyanomaly.evaluation.result import Gpu, HardwareCard
from anyanomaly.isolation import program_output


def hardware_card() -> HardwareCard:
    """Return processor, cores, memory, GPUs, system and Python of this machine."""
    return HardwareCard(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        memory_gib=_memory_gib(),
        gpus=_gpus(),
        system=platform.platform(),
        python=platform.python_version(),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that nvidia-smi lists; empty without it."""
    columns = "name,memory.total,driver_version"
    listing = program_output("nvidia-smi", f"--query-gpu={columns}", "--format=csv,noheader") or ""
    return tuple(Gpu(*line.split(", ")[:3]) for line in listing.splitlines() if line.strip())
