"""``anyanomaly cache``: show, prune and clear the answer store and the scores of earlier runs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly.cli.app import new_app
from anyanomaly.cli.call import Call
from anyanomaly.cli.output import print_json, print_line, print_message, print_table
from anyanomaly.cli.sizes import measure_size
from anyanomaly.errors import OutputError, UsageError

if TYPE_CHECKING:
    from anyanomaly.engine.store_upkeep import StoreLimits

SIZE_HELP = "remove answers, and scores of runs, until each store is at most this large: 500MB, 2GB, 1GiB"
AGE_HELP = "remove answers, and scores of runs, that were not used for this long: 12h, 30d, 4w"


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""
    cache = new_app(help="Show, prune or clear the answer store.")

    def show(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
        report = describe()
        if as_json:
            print_json(report)
        else:
            _print(report)

    def prune(
        max_size: Annotated[str | None, typer.Option(metavar="SIZE", help=SIZE_HELP)] = None,
        older_than: Annotated[str | None, typer.Option(metavar="AGE", help=AGE_HELP)] = None,
    ) -> None:
        from anyanomaly.assemble import store_path
        from anyanomaly.assemble.cache import run_store_path
        from anyanomaly.engine.run_store import trim_files
        from anyanomaly.engine.store_upkeep import prune as prune_store

        limits = _prune_limits(max_size, older_than)
        n_removed = prune_store(store_path(), limits)
        with _folder_errors():
            n_videos = trim_files(run_store_path(), limits)
        print_message(f"anyanomaly: removed {n_removed} answers, and the scores of {n_videos} videos.")

    def clear(yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False) -> None:
        _clear(yes)

    cache.command(
        "show", help="Print where the answer store and the scores of runs are, what they hold, and their limits."
    )(show)
    cache.command(
        "prune",
        help="Remove answers and scores of runs, those first that were not used for the longest time. Without options: "
        "what is beyond the limits that every run applies.",
    )(prune)
    cache.command("clear", help="Remove all answers and scores of runs, and nothing else in the cache folder.")(clear)
    app.add_typer(cache, name="cache")


def describe() -> dict[str, Any]:
    """Return a report on the answer store and on other content of the cache folder, JSON-ready. Times are in UTC.

    :raises InvalidOption: when a variable of the limits has no valid value.
    """
    from anyanomaly.assemble import cache_folder, store_limits, store_path
    from anyanomaly.assemble.cache import run_store_path
    from anyanomaly.engine.run_store import run_files
    from anyanomaly.engine.store_upkeep import summarise

    path, limits, runs = store_path(), store_limits(), run_store_path()
    summary = summarise(path)
    oldest, newest = summary.stored_at or (None, None)
    return {
        "path": str(path),
        "exists": os.path.lexists(path),
        "bytes": summary.n_bytes,
        "answers": summary.n_answers,
        "oldest": _date(oldest),
        "newest": _date(newest),
        "last_used": _date(summary.used_at),
        "backends": [{**asdict(backend), "used_at": _date(backend.used_at)} for backend in summary.backends],
        "runs": {"path": str(runs), "bytes": measure_size(runs), "videos": len(run_files(runs))},
        "limits": {"bytes": limits.max_bytes, "days": limits.max_age_s and limits.max_age_s / 86_400},
        "others": [
            {"path": str(neighbour), "bytes": measure_size(neighbour)}
            for neighbour in _list_others(cache_folder(), path, runs)
        ],
        "problem": summary.problem or None,
    }


def _prune_limits(max_size: str | None, older_than: str | None) -> StoreLimits:
    from anyanomaly.assemble import store_limits
    from anyanomaly.assemble.cache import parse_age, parse_size
    from anyanomaly.engine.store_upkeep import StoreLimits

    if max_size is None and older_than is None:
        return store_limits()
    return StoreLimits(
        max_bytes=None if max_size is None else parse_size(max_size, "--max-size"),
        max_age_s=None if older_than is None else parse_age(older_than, "--older-than"),
    )


def _clear(yes: bool) -> None:
    from anyanomaly.assemble import store_path
    from anyanomaly.assemble.cache import run_store_path
    from anyanomaly.engine.run_store import clear_files, run_files
    from anyanomaly.engine.store_upkeep import clear, summarise

    path, runs = store_path(), run_store_path()
    n_videos = len(run_files(runs))
    if not os.path.lexists(path) and not n_videos:
        print_message(f"anyanomaly: there is no answer store; {path} does not exist.")
        return
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError(f"Nobody can confirm that {path} is cleared. Add --yes.")
        summary = summarise(path)
        content = summary.problem or f"{path} has {summary.n_answers} answers."
        scores = f" {runs} has the scores of {n_videos} videos." if n_videos else ""
        print_message(f"{content}{scores} Clear {'both' if scores else 'it'}? [y/N] ")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print_message("anyanomaly: nothing was removed.")
            return
    outcome = clear(path) if os.path.lexists(path) else ""
    with _folder_errors():
        n_removed = clear_files(runs)
    outcome += f" Removed the scores of {n_removed} videos." if n_removed else ""
    print_message(f"anyanomaly: {outcome.strip()}")


@contextlib.contextmanager
def _folder_errors() -> Iterator[None]:
    """:raises OutputError: in place of an error of the file system."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"Cannot remove {error.filename}: {error.strerror}. Remove it yourself.") from error


def _list_others(folder: Path, path: Path, runs: Path) -> list[Path]:
    """Return what is in the cache folder beside the answer store and the scores of runs."""
    from anyanomaly.engine.store_upkeep import store_files

    if not folder.is_dir():
        return []
    return sorted(set(folder.iterdir()) - {*store_files(path), runs})


def _date(seconds: int | None) -> str | None:
    """Return a time as text; a damaged store may have any number."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return "unknown"


def _print(report: dict[str, Any]) -> None:
    limits = report["limits"]
    rows = [
        ("answer store", report["path"] if report["exists"] else f"{report['path']} (does not exist yet)"),
        ("size", _size_text(report["bytes"])),
        ("answers", str(report["answers"])),
    ]
    if report["answers"]:
        rows += [("stored", f"{report['oldest']} to {report['newest']}"), ("last used", report["last_used"])]
    rows += [
        ("scores of runs", report["runs"]["path"]),
        ("size", _size_text(report["runs"]["bytes"])),
        ("videos", str(report["runs"]["videos"])),
        ("limit of size", "none" if limits["bytes"] is None else f"{_size_text(limits['bytes'])} each"),
        ("limit of age", "none" if limits["days"] is None else f"{limits['days']:g} days since the last use"),
    ]
    if report["problem"]:
        rows.append(("problem", report["problem"]))
    print_table(rows)
    if report["backends"]:
        print_line("")
        print_line("Answers per backend")
        print_table(
            [
                (str(backend["n_answers"]), f"last used {backend['used_at']}", backend["backend"] or "unknown")
                for backend in report["backends"]
            ],
            "  ",
        )
    if report["others"]:
        print_line("")
        print_line("Also in this folder; `cache prune` and `cache clear` do not touch it")
        print_table([(Path(entry["path"]).name, _size_text(entry["bytes"])) for entry in report["others"]], "  ")


def _size_text(n_bytes: int) -> str:
    from pydantic import ByteSize

    return ByteSize(n_bytes).human_readable(decimal=True, separator=" ")
