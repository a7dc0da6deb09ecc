"""What a run says before it starts: which backend it chose, and what it is about to download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import tell

if TYPE_CHECKING:
    from anyanomaly.assemble.resolve import ResolvedRun


def announce(run: ResolvedRun, call: Call) -> None:
    """Print it on standard error.

    :raises MissingRequirement: when weights are neither on this machine nor to be had.
    """
    from anyanomaly.assemble.downloads import announce_downloads

    if run.backend.reason and not call.quiet:
        tell(f"anyanomaly: backend {run.backend.name}, because {run.backend.reason}; --backend names another.")
    for sentence in announce_downloads(run):
        if not call.quiet:
            tell(f"anyanomaly: {sentence}.")
