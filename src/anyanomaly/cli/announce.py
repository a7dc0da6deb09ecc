"""What a run says before it starts: which backend it chose, and what it is about to download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import tell

if TYPE_CHECKING:
    from anyanomaly.assemble import Pipeline


def announce(pipeline: Pipeline, call: Call) -> None:
    """Tell it on standard error.

    :raises MissingRequirement: when weights are neither on this machine nor to be had.
    """
    from anyanomaly.assemble.weights import download

    if pipeline.choice and not call.quiet:
        tell(f"anyanomaly: backend {pipeline.choice.name}, since {pipeline.choice.why}; --backend names another.")
    note = download(pipeline.backend.options.model_dump())
    if note and not call.quiet:
        tell(f"anyanomaly: {note}.")
