"""Standard error at the start of a run: notices of the config file, downloads and backend, and the live display."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import open_live_console, print_message

if TYPE_CHECKING:
    from anyanomaly.assemble.resolve import ResolvedRun
    from anyanomaly.cli.run_display import RunDisplay
    from anyanomaly.config.files import ConfigFile
    from anyanomaly.config.model import RunConfig
    from anyanomaly.engine.clock import Clock


def announce_file(file: ConfigFile | None, call: Call) -> None:
    """Print that settings come from a file that the user did not name, unless the command line has ``--quiet``."""
    if file is not None and not file.is_named and not call.quiet:
        print_message(f"anyanomaly: settings from {file.path} in the current folder; --config names another file.")


def print_start_notices(run: ResolvedRun, call: Call) -> None:
    """Print the notices, unless the command line has ``--quiet``.

    :raises MissingRequirement: when weights are not on this machine and cannot be downloaded.
    """
    from anyanomaly.assemble.downloads import announce_downloads

    if run.backend.reason and not call.quiet:
        print_message(f"anyanomaly: backend {run.backend.name}, because {run.backend.reason}; --backend names another.")
    for sentence in announce_downloads(run):
        if not call.quiet:
            print_message(f"anyanomaly: {sentence}.")


def open_run_display(config: RunConfig, call: Call, clock: Clock) -> RunDisplay | None:
    """Return the live display of a run; None with ``--quiet``, and where lines of a terminal cannot change.

    :param clock: of the run.
    """
    outputs = [str(sink.options.get("path", "-")) for sink in config.sink]
    console = None if call.quiet else open_live_console(outputs)
    if console is None:
        return None
    from anyanomaly.cli.run_display import RunDisplay  # rich is imported only when it is used

    return RunDisplay(console, config.run.threshold, clock)
