"""The command tree, built for one invocation: only the command asked for is imported."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer

from anyanomaly.cli.call import Call
from anyanomaly.registry import Problem

COMMANDS = {
    "run": "Find events in videos.",
    "show": "Write down everything about one segment: what was shown, asked and answered.",
    "eval": "Measure one configuration on one labelled data set.",
    "bench": "Run a recipe: a matrix of configurations to tables and a plot of speed against AUC.",
    "plugins": "List, describe and check components.",
    "config": "Show, locate or start the settings.",
    "doctor": "Say what is installed, what is missing, and what to do next.",
}


def new_app(**settings: Any) -> typer.Typer:
    """Return an empty application with our manners: plain help, plain tracebacks."""
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        **settings,
    )


def build_app(call: Call) -> typer.Typer:
    """Return the application for ``call``."""
    app = new_app()
    app.callback()(_globals)
    for name, summary in COMMANDS.items():
        if name == call.command:
            import_module(f"anyanomaly.cli.{name}").add(app, call)
        else:
            app.command(name, help=summary)(_placeholder)
    if call.command not in COMMANDS:
        _add_plugin_commands(app, call)
    return app


def _globals(
    plugin: Annotated[
        list[str] | None, typer.Option("-p", "--plugin", metavar="FILE|MODULE", help="load a plugin (repeatable)")
    ] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="read settings from this file")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="tell more")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="tell errors only")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=lambda asked: _version(asked), is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Find the events that you describe in plain words, in video."""


def _version(asked: bool) -> None:
    if asked:
        from anyanomaly import __version__

        typer.echo(f"anyanomaly {__version__}")
        raise typer.Exit


def _placeholder() -> None:
    """Stands for a command that this invocation does not run."""


def _add_plugin_commands(app: typer.Typer, call: Call) -> None:
    """Mount the commands of plugins; an application that takes a name of ours is refused."""
    plugin_apps: list[typer.Typer] = call.registry.register_commands(new_app)
    for plugin_app in plugin_apps:
        names = {info.name or _command_name(info.callback) for info in plugin_app.registered_commands}
        names |= {str(info.name) for info in plugin_app.registered_groups}
        if taken := sorted(names & set(COMMANDS)):
            sentence = f"A plugin's command '{taken[0]}' is left out: that name is taken."
            call.registry.problems.append(Problem("", sentence))
            continue
        app.add_typer(plugin_app)


def _command_name(callback: Callable[..., Any] | None) -> str:
    return getattr(callback, "__name__", "").replace("_", "-")
