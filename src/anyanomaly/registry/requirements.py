"""What components require, checked from the metadata of installed distributions, without importing anything of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement


def _version(name: str) -> str:
    """Return the version of an installed distribution.

    Reads the header of the metadata itself: the parser of ``importlib.metadata`` parses whole READMEs, which is slow.

    :raises PackageNotFoundError: when it is not installed.
    """
    package = distribution(name)
    before, _, after = (package.read_text("METADATA") or "").partition("\nVersion:")
    return after.partition("\n")[0].strip() if before and "\n\n" not in before else package.version


def installed_versions(requirements: Iterable[str]) -> dict[str, str]:
    """Return the versions of the installed distributions among requirements, alternatives included."""
    from packaging.requirements import Requirement

    versions = {}
    for text in {text for requirement in requirements for text in requirement.split(" | ")}:
        with suppress(PackageNotFoundError, ValueError):  # not installed, or no PEP 508 requirement
            name = Requirement(text).name
            versions[name] = _version(name)
    return versions


@cache  # reading metadata takes most of the time of `anyanomaly plugins`, and many components require the same
def missing_requirement(text: str) -> str:
    """Return a phrase for messages when a PEP 508 requirement is not fulfilled; empty when it is.

    :param text: one requirement, or alternatives with " | " between them, of which one is enough.
    """
    from packaging.requirements import Requirement

    try:
        return _describe_missing(text, [Requirement(part) for part in text.split(" | ")])
    except ValueError:  # not PEP 508, or with a marker that depends on an extra
        return f"'{text}', which is not a valid requirement"


def _describe_missing(text: str, alternatives: Sequence[Requirement]) -> str:
    unsuitable = []
    for requirement in alternatives:
        if requirement.marker and not requirement.marker.evaluate():
            return ""
        try:
            version = _version(requirement.name)
        except PackageNotFoundError:
            continue
        if requirement.specifier.contains(version, prereleases=True):
            return ""
        unsuitable.append(f"{requirement}, found {version}")
    return " and ".join(unsuitable) or text.replace(" | ", " or ")
