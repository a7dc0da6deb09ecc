"""Peak memory of this process and those it started: an engine may live in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path


def reset_peak() -> None:
    """Forget the peak so far, where the system can (Linux)."""
    for pid in _family():
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def peak_mib() -> float | None:
    """Return the peak of resident memory since `reset_peak`, summed over the processes, in MiB."""
    if sys.platform == "linux":
        peaks = [_high_water_kib(pid) for pid in _family()]
        return sum(peaks) / 1024
    with contextlib.suppress(ImportError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used / 2**20 if sys.platform == "darwin" else used / 1024
    return None


def gpu_mib() -> float | None:
    """Return the GPU memory that these processes hold now, in MiB; None without an NVIDIA GPU.

    Engines keep what they once took, so after a run this is its peak.
    """
    command = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.split(", ") for line in told.splitlines() if line.strip()]
    family = {str(pid) for pid in _family()}
    held = [float(used) for pid, used in rows if pid in family and used.replace(".", "").isdigit()]
    return sum(held) if held else None


def _family() -> list[int]:
    """Return this process and all that descend from it."""
    found = [os.getpid()]
    for pid in found:  # grows while it is gone through
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += [int(each) for each in (task / "children").read_text(encoding="ascii").split()]
    return found


def _high_water_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0
