"""Commands that install packages, as they work on this machine: from a checkout by folder, else by name."""

from __future__ import annotations

import json
import os
import re
import shlex
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlparse

PREFIX = "anyanomaly"


def install_command(*requirements: str) -> str:
    """Return a command that installs requirements such as "anyanomaly-vllm[gpu]" or "pytest>=8".

    The project's own packages are on no index when it was installed from a checkout: there the command names the
    folders of the checkout.
    """
    checkout = _checkout()
    words = [_from_checkout(each, checkout) if checkout else each for each in requirements]
    return f"pip install {' '.join(map(shlex.quote, words))}"


def _from_checkout(requirement: str, checkout: Path) -> str:
    """Return a requirement on one of the project's packages as its folder; another as it is."""
    match = re.match(rf"{PREFIX}(?:-([a-z0-9-]+))?(\[[^\]]*\])?", requirement)
    if match is None:
        return requirement
    plugin, extras = match[1], match[2] or ""
    folder = checkout / "plugins" / plugin if plugin else checkout
    if not (folder / "pyproject.toml").is_file():
        return requirement
    return f"{_short(folder)}{extras}"


def _short(folder: Path) -> str:
    """Return a folder as one would type it here, so that pip takes it for a path."""
    relative = os.path.relpath(folder)
    return str(folder) if relative.startswith("..") else f"./{relative}" if relative != "." else "."


@cache
def _checkout() -> Path | None:
    """Return the source folder that this package was installed from; None when it came from an index."""
    try:
        record = distribution(PREFIX).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    url = urlparse(json.loads(record)["url"]) if record else None
    if url is None or url.scheme != "file":
        return None
    folder = Path(unquote(url.path))
    return folder if (folder / "plugins").is_dir() else None
