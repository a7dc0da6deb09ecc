"""Peak memory of this process and its descendants, in which an engine may run."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from anyanomaly.isolation import program_output
from anyanomaly.processes import descendants


def reset_peak() -> None:
    """Start a new peak for `peak_mib`, where the system can (Linux)."""
    for pid in _process_ids():
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def peak_mib() -> float | None:
    """Return the peak of resident memory since `reset_peak`, summed over the processes, in MiB."""
    if sys.platform == "linux":
        return sum(_high_water_kib(pid) for pid in _process_ids()) / 1024
    with contextlib.suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 1024
    return None


def gpu_mib() -> float | None:
    """Return the GPU memory that these processes hold now, in MiB; None without an NVIDIA GPU.

    Engines do not give memory back to the driver, so after a run this is its peak.
    """
    output = program_output("nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits")
    if output is None:
        return None
    rows = [line.split(", ") for line in output.splitlines() if line.strip()]
    own_pids = {str(pid) for pid in _process_ids()}
    used_mib = [float(used) for pid, used in rows if pid in own_pids and used.replace(".", "").isdigit()]
    return sum(used_mib) if used_mib else None


def _process_ids() -> list[int]:
    """Return the ids of this process and of all its descendants."""
    return [os.getpid(), *descendants(os.getpid())]


def _high_water_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0
