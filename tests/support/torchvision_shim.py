"""Make ``import torchvision`` work where torch is a CPU build, for tests and demonstrations only.

torchvision from the package index links CUDA libraries. Beside a CPU torch its compiled operators do not load, and
its import stops with ``operator torchvision::nms does not exist``. Declaring the two operators that the import
asks for is enough: nothing here ever calls them.

``python -m tests.support.torchvision_shim`` copies this file into the running environment's site-packages with a
``.pth`` file beside it, so that child processes get it too. At the start of an interpreter it only adds an import
hook: torch is imported when torchvision is, never before. Standard library only, for that reason.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

INSTALLED_NAME = "anyanomaly_torchvision_shim"
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

_libraries: list[object] = []  # operators stay declared as long as their library exists


def declare_operators(package_folders: list[str]) -> None:
    """Declare ``nms`` and ``qnms`` when torch is a CPU build and torchvision's own operators do not load."""
    import torch

    if torch.version.cuda is not None or getattr(torch.version, "hip", None) is not None:
        return
    for folder in package_folders:
        try:
            torch.ops.load_library(f"{folder}/_C.so")
        except OSError:
            continue
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(name + SCHEMA)
    _libraries.append(library)


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        declare_operators(list(module.__path__))
        super().exec_module(module)


class TorchvisionFinder:
    """Finds torchvision as Python does, and declares the operators before its code runs."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return None for every other module."""
        if name != "torchvision":
            return None
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin)
        return spec


def activate() -> None:
    """Add the import hook to this interpreter."""
    sys.meta_path.insert(0, TorchvisionFinder)  # type: ignore[arg-type]


def install() -> None:
    """Write the hook into the running environment's site-packages, for every interpreter that starts there."""
    import sysconfig
    from pathlib import Path

    site_packages = Path(sysconfig.get_paths()["purelib"])
    (site_packages / f"{INSTALLED_NAME}.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    (site_packages / f"{INSTALLED_NAME}.pth").write_text(f"import {INSTALLED_NAME}\n", encoding="utf-8")


if __name__ == INSTALLED_NAME:
    activate()
elif __name__ == "__main__":
    install()
