"""``anyanomaly plugins``: list, describe and check components."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly.cli.app import new_app
from anyanomaly.cli.call import Call
from anyanomaly.cli.listing import described, list_components
from anyanomaly.cli.output import print_json, print_table
from anyanomaly.errors import PluginError, UsageError
from anyanomaly.specs import ROLE_NAMES, ComponentSpec

if TYPE_CHECKING:
    from anyanomaly.cli.flags import Flag

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Component = Annotated[str, typer.Argument(metavar="ROLE:NAME", help="for example backend:replay")]

HELP = "List, describe and check components. With a role, those of that role alone."


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""
    plugins = new_app(help=HELP, invoke_without_command=True)

    @plugins.callback()
    def all_roles(context: typer.Context, as_json: Json = False) -> None:
        if context.invoked_subcommand is None:
            list_components(call, ROLE_NAMES, as_json)

    for role in ROLE_NAMES:
        plugins.command(role, help=f"List {role}s.")(_lister(call, role))
    plugins.command("show", help="Describe one component: its options as flags, its needs.")(_shower(call))
    _add_check(plugins, call)
    app.add_typer(plugins, name="plugins")


def _lister(call: Call, role: str) -> Callable[..., None]:
    def listed(as_json: Json = False) -> None:
        list_components(call, (role,), as_json)

    return listed


def _shower(call: Call) -> Callable[..., None]:
    def shown(component: Component, as_json: Json = False) -> None:
        _show(call, _find(call, component), as_json)

    return shown


def _add_check(plugins: typer.Typer, call: Call) -> None:
    """Add ``check``, with the options of the component it is to check."""
    help_text = "Run the contract of a role over one component, with options as in `run` (--backend.model ID)."
    if "check" not in call.words:  # flags need pydantic, a third of the time that a list takes
        plugins.command("check", help=help_text)(lambda: None)
        return
    from anyanomaly.cli.flags import with_flags

    words = [word for word in call.words if ":" in word and not word.startswith("-")]
    flags = option_flags(call, _find(call, words[0])) if call.words[:1] == ("check",) and words else []

    def check(given: Mapping[tuple[str, ...], Any], component: Component) -> None:
        spec = _find(call, component)
        call.registry.check_requirements(spec)

        from anyanomaly.testing.plugin import check as run_contract

        if run_contract(component, {path[0]: value for path, value in given.items()}, call.plugins):
            raise PluginError(f"{spec.role.capitalize()} '{spec.name}' does not keep its contract; see above.")

    plugins.command("check", help=help_text)(with_flags(check, flags))


def _find(call: Call, component: str) -> ComponentSpec:
    role, colon, name = component.partition(":")
    if not colon or role not in ROLE_NAMES:
        raise UsageError(f"'{component}' names no component; write ROLE:NAME with a role of {', '.join(ROLE_NAMES)}.")
    return call.registry.find(role, name)


def _show(call: Call, spec: ComponentSpec, as_json: bool) -> None:
    told = described(call, spec)
    if as_json:
        print_json({**told, "options_schema": call.registry.options_model(spec).model_json_schema()})
        return
    print(f"{spec.role} {spec.name}: {spec.summary}")
    print_table(list(_facts(told)), "  ")
    flags = option_flags(call, spec)
    print("Options:" if flags else "It has no options.")
    for flag in flags:
        print(f"  {flag.names[0]} {flag.metavar or ''}".rstrip())
        print(f"      {flag.help}")


def option_flags(call: Call, spec: ComponentSpec) -> list[Flag]:
    """Return a component's options as `run` takes them."""
    from anyanomaly.cli.flags import field_flags

    prefix = f"{spec.role}.{spec.name}." if spec.role in ("context", "sink") else f"{spec.role}."
    return field_flags(call.registry.options_model(spec), (), {}, prefix)


def _facts(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    words = {True: "yes", False: "no", None: "any number"}
    for name, value in told.items():
        if name in ("role", "name", "summary") or value in ("", []):
            continue
        shown = words[value] if isinstance(value, bool | None) else value
        yield name.replace("_", " "), ", ".join(shown) if isinstance(shown, list) else str(shown)
