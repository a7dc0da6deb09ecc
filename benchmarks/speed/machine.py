"""What a machine can do at most, and the memory of a process with its children."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from anyanomaly.processes import descendants

PROC = Path("/proc")
GIB = 2**30


class Peak(NamedTuple):
    """The machine's measured peak."""

    gflops: dict[str, float]  # of a product of large matrices, by precision
    bandwidth: float  # GB/s, of reading memory

    def describe(self) -> str:
        """Return it as words."""
        products = ", ".join(f"{value:,.0f} GFLOP/s in {name}" for name, value in self.gflops.items())
        return f"{products}; reading memory {self.bandwidth:,.1f} GB/s"


def measure_peak(device: str = "cpu", seconds: float = 1.0, dtypes: tuple[str, ...] = ("float32", "bfloat16")) -> Peak:
    """Measure products of matrices in each precision, and how fast memory is read.

    :param seconds: time of each measurement.
    """
    import torch

    side = 8192 if device.startswith("cuda") else 1024
    n_numbers = 2**30 if device.startswith("cuda") else 2**27  # float32
    gflops = {}
    with torch.inference_mode():
        for dtype in dtypes:
            left, right = (torch.randn(side, side, device=device).to(getattr(torch, dtype)) for _ in range(2))

            def multiply(left: Any = left, right: Any = right) -> Any:
                return torch.nn.functional.linear(left, right)  # in the order of a model's layers

            gflops[dtype] = 2 * side**3 / _best_s(multiply, device, seconds) / 1e9
        memory = torch.ones(n_numbers, device=device)  # a sum reads each number once, on all cores
        bandwidth = memory.numel() * 4 / _best_s(lambda: memory.sum(), device, seconds) / 1e9
    return Peak(gflops, bandwidth)


def _best_s(work: Callable[[], Any], device: str, seconds: float) -> float:
    """Return the shortest time of ``work``: other programs only make it longer."""
    import torch

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    work()
    wait()
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - start)
    return min(times)


class Memory(NamedTuple):
    """Memory of processes in bytes; pages that several of them map count once."""

    total: int  # resident
    files: int  # of these, pages of files that are mapped: the system can drop and read them again

    @property
    def own(self) -> int:
        """What only the processes hold, which the system cannot take back."""
        return self.total - self.files


def process_memory(pid: int) -> Memory:
    """Return the proportional memory of a process and its descendants; none of processes that ended."""
    total = own = 0
    for number in (pid, *descendants(pid)):
        with contextlib.suppress(OSError):
            sizes = _rollup(number)
            total += sizes["Pss"]
            own += sizes["Pss_Anon"] + sizes.get("Pss_Shmem", 0)
    return Memory(total, total - own)


def _rollup(pid: int) -> dict[str, int]:
    lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    return {name: int(value.split()[0]) * 1024 for name, _, value in (line.partition(":") for line in lines)}


def peak_rss(pid: int) -> int:
    """Return the highest resident memory of one process so far, in bytes: exact, without its children."""
    for line in (PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def reset_peak_rss(pid: int) -> None:
    """Start to measure `peak_rss` anew."""
    with contextlib.suppress(OSError):
        (PROC / str(pid) / "clear_refs").write_text("5", encoding="ascii")


class MemoryWatch:
    """Samples the memory of a process and its descendants in a thread; `phase` says what for.

    The kernel keeps the exact peak of each process. It is used where the process has no descendants; with them the
    samples are, and a peak between two samples may be missed.
    """

    def __init__(self, pid: int, every_s: float = 0.2) -> None:
        self._pid, self._every_s = pid, every_s
        self.peaks: dict[str, Memory] = {}
        self._phase = ""
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def phase(self, name: str) -> None:
        """End a phase and begin another."""
        self._note_exact_peak()
        self._phase = name
        reset_peak_rss(self._pid)

    def _note_exact_peak(self) -> None:
        if not self._phase or descendants(self._pid):
            return
        with contextlib.suppress(OSError):
            exact, sampled = peak_rss(self._pid), self.peaks.get(self._phase, Memory(0, 0))
            if exact > sampled.total:
                self.peaks[self._phase] = Memory(exact, sampled.files)

    def _sample(self) -> None:
        pause_s = self._every_s
        while not self._is_over.wait(pause_s):
            if phase := self._phase:
                start_s = time.perf_counter()
                memory = process_memory(self._pid)
                # The kernel walks all pages for it, and the process waits meanwhile: take at most a tenth of the time.
                pause_s = max(self._every_s, 9 * (time.perf_counter() - start_s))
                if memory.total > self.peaks.get(phase, Memory(0, 0)).total:
                    self.peaks[phase] = memory
