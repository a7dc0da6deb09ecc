"""Compile a package that has no ready-made wheel once per machine and version, for every checkout.

``python -m tests.support.compiled_wheel llama_cpp_python`` prints the path of the wheel of the version in
constraints.txt. It is kept in ``$XDG_CACHE_HOME/anyanomaly/wheels`` (else ``~/.cache``).

pip keeps wheels that it built too, but tells them apart by the address of the source alone. llama.cpp is compiled for
the CPU that compiles it, so in a home folder that several machines share, pip's wheel may stop with an illegal
instruction. Standard library only: this runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def compiled_wheel(requirement: str, build: Callable[[str, Path], None] | None = None) -> Path:
    """Return the wheel of a requirement "name==version", built now if this machine has none yet.

    ``build(requirement, folder)`` writes the wheel into an empty folder; the default compiles with ``pip wheel``.
    """
    folder = cache_folder() / f"{requirement.replace('==', '-')}-{machine_key()}"
    if not any(folder.glob("*.whl")):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as building:  # a build that is killed leaves no half wheel
            (build or build_with_pip)(requirement, Path(building))
            folder.mkdir(exist_ok=True)
            for wheel in Path(building).glob("*.whl"):
                wheel.replace(folder / wheel.name)
    return next(folder.glob("*.whl"))


def build_with_pip(requirement: str, folder: Path) -> None:
    """Compile a requirement into a folder, past pip's own cache, which may hold a wheel for another CPU."""
    print(f"Compiling {requirement}, once for this machine ...", file=sys.stderr)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-cache-dir",
        "-w",
        str(folder),
        requirement,
    ]
    subprocess.run(command, stdout=sys.stderr, check=True)


def cache_folder() -> Path:
    """Return the folder of all compiled wheels in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anyanomaly" / "wheels"


def machine_key() -> str:
    """Return what a compiled wheel depends on, as part of a file name: Python, platform, C library, CPU, options."""
    digest = hashlib.sha256("\n".join((cpu_flags(), *platform.libc_ver(), os.environ.get("CMAKE_ARGS", ""))).encode())
    return f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}-{digest.hexdigest()[:12]}"


def cpu_flags() -> str:
    """Return the instruction sets of this machine's CPU; its name where the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    flags = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))
    return " ".join(sorted(next(flags, platform.processor()).split()))


def pinned(name: str) -> str:
    """Return a package's line of constraints.txt, "name==version"."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{name}=="))


if __name__ == "__main__":
    print(compiled_wheel(pinned(sys.argv[1])))
