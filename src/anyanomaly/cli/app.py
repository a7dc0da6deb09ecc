"""The Typer application with all commands. Only the command of this call is imported."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Annotated, Any

import typer

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import print_line
from anyanomaly.guard.failures import Origin, describe
from anyanomaly.registry import Problem

COMMANDS = {
    "run": "Find events in videos.",
    "show": "Write images, questions and answers of one segment to a folder.",
    "report": "Make reports and other outputs of stored results, without a model.",
    "eval": "Measure one configuration on one labelled dataset.",
    "bench": "Run a recipe: a matrix of configurations, with tables and a plot of speed against AUC.",
    "plugins": "List, describe and check components.",
    "config": "Print the settings, and locate, write or accept the config file.",
    "cache": "Show, prune or clear the answer store.",
    "doctor": "Print what is installed, what is missing, and what to do next.",
}

COMMAND_ENDS = (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError)
"""What a command may raise to end, besides errors of anyanomaly."""


def new_app(**settings: Any) -> typer.Typer:
    """Return an empty application without Typer's own formatting of help and tracebacks."""
    return typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        **settings,
    )


def build_app(call: Call) -> typer.Typer:
    """Return the application for a call: its command in full, the other commands as a line of help.

    :raises AnyAnomalyError: when the flags of the command depend on a component that does not exist or cannot be used.
    """
    app = new_app()
    app.callback()(_global_options)
    for name, summary in COMMANDS.items():
        if name == call.command:
            import_module(f"anyanomaly.cli.{name}").add(app, call)
        else:
            app.command(name, help=summary)(_placeholder)
    if call.command not in COMMANDS:
        _add_plugin_commands(app, call)
    return app


def _global_options(
    plugin: Annotated[
        list[str] | None, typer.Option("-p", "--plugin", metavar="FILE|MODULE", help="load a plugin (repeatable)")
    ] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="read settings from this file")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="print progress and speed")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="print errors only")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=lambda value: _print_version(value), is_eager=True, help="print the version"
        ),
    ] = False,
) -> None:
    """Find the events that you describe in plain words, in video."""


def _print_version(requested: bool) -> None:
    if requested:
        from anyanomaly import __version__

        print_line(f"anyanomaly {__version__}")
        raise typer.Exit


def _placeholder() -> None:
    """Stand for a command that this call does not run."""


def _add_plugin_commands(app: typer.Typer, call: Call) -> None:
    """Add the commands of plugins, whose failures name the plugin.

    A plugin's commands are disabled when one has the name of a built-in command, or Typer cannot read their parameters.
    """
    plugin_apps: list[tuple[Origin, typer.Typer]] = call.registry.register_commands(new_app)
    for origin, plugin_app in plugin_apps:
        if not (plugin_app.registered_commands or plugin_app.registered_groups):
            continue
        try:
            names = set(typer.main.get_group(plugin_app).commands)
        except Exception as error:
            problem = f"its commands cannot be read: {describe(error)}"
        else:
            conflicts = sorted(names & set(COMMANDS))
            problem = (
                f"its command '{conflicts[0]}' has the name of a built-in command; rename it." if conflicts else ""
            )
        if problem:
            call.registry.problems.append(Problem("", f"{origin.label}: {problem} Its commands are disabled."))
            continue
        _guard_commands(plugin_app, replace(origin, passes=COMMAND_ENDS))
        app.add_typer(plugin_app)


def _guard_commands(app: typer.Typer, origin: Origin) -> None:
    for command in app.registered_commands:
        if command.callback:
            command.callback = _guard_command(command.callback, origin)
    for group in app.registered_groups:
        if group.typer_instance:
            _guard_commands(group.typer_instance, origin)


def _guard_command(function: Callable[..., Any], origin: Origin) -> Callable[..., Any]:
    @functools.wraps(function)
    def guarded(*arguments: Any, **named: Any) -> Any:
        return origin.call(f"its command {function.__name__}", lambda: function(*arguments, **named))

    return guarded
