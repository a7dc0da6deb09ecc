"""Commands that install packages and work as printed: from a checkout by folder, else by name.

Standard library only: every layer and every plugin may name such a command in a message.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

CORE = "anyanomaly"
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<extras>\[[^\]]*\])?")


def install_command(*requirements: str) -> str:
    """Return a command that installs requirements such as "anyanomaly-vllm[gpu]" or "pytest>=8" where this runs.

    While the project's own packages are on no index, they can only be installed from the checkout that this package
    came from: then the command names the folders of the checkout, those of required sibling packages included.
    Options of pip pass unchanged.
    """
    checkout = _checkout()
    arguments = checkout.arguments(requirements) if checkout else list(requirements)
    return " ".join((_pip(), "install", *map(shlex.quote, arguments)))


def _pip() -> str:
    """Return pip as a shell finds it, or through this interpreter when that would be another environment's pip."""
    pip = shutil.which("pip")
    if pip and Path(pip).parent.resolve() == Path(sys.executable).parent.resolve():
        return "pip"
    return f"{shlex.quote(_typed(Path(sys.executable)))} -m pip"


def _typed(path: Path) -> str:
    """Return a path relative to the current folder, with a slash or a dot: pip takes other words for package names."""
    relative = os.path.relpath(path)
    if relative == ".":
        return "."
    return str(path) if relative.startswith("..") else f"./{relative}"


@dataclass(frozen=True)
class _Checkout:
    """A source folder that this package was installed from."""

    root: Path
    editable: bool

    def arguments(self, requirements: tuple[str, ...]) -> list[str]:
        """Return pip's arguments: our packages as folders, after the siblings they need; others as they are."""
        folders: dict[Path, set[str]] = {}  # with extras, in order of installation
        elsewhere = [requirement for requirement in requirements if not self._add(requirement, folders)]
        arguments = []
        for folder, extras in folders.items():
            option = ["-e"] if self.editable else []
            arguments += [*option, _typed(folder) + (f"[{','.join(sorted(extras))}]" if extras else "")]
        return [*arguments, *elsewhere]

    def _add(self, requirement: str, folders: dict[Path, set[str]], only_missing: bool = False) -> bool:
        """Add a package's folder after those of its siblings that are not installed; False: not of this project."""
        match = REQUIREMENT.match(requirement)
        folder = self._folder(match["name"]) if match else None
        if match is None or folder is None:
            return False
        extras = {extra.strip() for extra in (match["extras"] or "[]")[1:-1].split(",")} - {""}
        if folder in folders and extras <= folders[folder]:
            return True
        if only_missing and not extras and _is_installed(match["name"]):
            return True
        for needed in _dependencies(folder, extras):
            self._add(needed, folders, only_missing=True)
        folders.setdefault(folder, set()).update(extras)
        return True

    def _folder(self, name: str) -> Path | None:
        """Return the folder of one of the project's packages; None for any other name."""
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name != CORE and not name.startswith(f"{CORE}-"):
            return None
        folder = self.root if name == CORE else self.root / "plugins" / name.removeprefix(f"{CORE}-")
        return folder if (folder / "pyproject.toml").is_file() else None


def _dependencies(folder: Path, extras: set[str]) -> list[str]:
    """Return what a package requires, its extras included."""
    import tomllib

    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional: dict[str, list[str]] = project.get("optional-dependencies", {})
    return [*project.get("dependencies", []), *(text for extra in sorted(extras) for text in optional.get(extra, []))]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


@cache
def _checkout() -> _Checkout | None:
    """Return the checkout that this package was installed from; None when it came from an index."""
    from urllib.parse import urlparse
    from urllib.request import url2pathname

    try:
        record = distribution(CORE).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    origin = json.loads(record) if record else {}
    url = urlparse(origin.get("url", ""))
    if url.scheme != "file":
        return None
    folder = Path(url2pathname(url.path)).resolve()
    is_editable = origin.get("dir_info", {}).get("editable", False)
    return _Checkout(folder, is_editable) if (folder / "plugins").is_dir() else None
