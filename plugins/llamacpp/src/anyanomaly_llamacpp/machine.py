"""Cores and free memory of this machine. More threads than cores make llama.cpp slower."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cores(system: Path = Path("/sys")) -> int:
    """Return the number of physical cores that this process may use, within the CPU limit of its container.

    :param system: where sysfs is mounted.
    """
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = {_read(system / f"devices/system/cpu/cpu{number}/topology/thread_siblings_list") for number in cpus}
    n_cores = len(siblings - {""}) or len(cpus)
    quota, _, period = _read(system / "fs/cgroup/cpu.max").partition(" ")
    limit = math.ceil(int(quota) / int(period)) if quota.isdigit() and period.isdigit() else n_cores
    return max(1, min(n_cores, limit))


def free_memory(system: Path = Path("/proc")) -> float:
    """Return the bytes of available memory; infinity on a system without ``/proc/meminfo``.

    :param system: where procfs is mounted.
    """
    lines = (line.partition(":") for line in _read(system / "meminfo").splitlines())
    return next((int(value.split()[0]) * 1024.0 for name, _, value in lines if name == "MemAvailable"), math.inf)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
