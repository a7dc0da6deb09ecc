"""``anyanomaly plugins``: list, describe and check components."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly.cli.app import new_app
from anyanomaly.cli.call import Call, FlagValues
from anyanomaly.cli.listing import describe_spec, list_components
from anyanomaly.cli.output import print_json, print_line, print_table
from anyanomaly.errors import PluginError, UsageError
from anyanomaly.specs import ROLE_NAMES, ComponentSpec

if TYPE_CHECKING:
    from anyanomaly.cli.flags import Flag

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Component = Annotated[str, typer.Argument(metavar="ROLE:NAME", help="for example backend:replay")]

HELP = "List, describe and check components. With a role, list only its components."


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application.

    :raises UsageError: when the component after ``check`` does not exist.
    """
    plugins = new_app(help=HELP, invoke_without_command=True)

    @plugins.callback()
    def all_roles(context: typer.Context, as_json: Json = False) -> None:
        if context.invoked_subcommand is None:
            list_components(call, ROLE_NAMES, as_json)

    for role in ROLE_NAMES:
        plugins.command(role, help=f"List {role}s.")(_list_command(call, role))
    plugins.command("show", help="Describe one component: its spec, and its options as flags.")(_show_command(call))
    _add_check(plugins, call)
    app.add_typer(plugins, name="plugins")


def _list_command(call: Call, role: str) -> Callable[..., None]:
    def list_role(as_json: Json = False) -> None:
        list_components(call, (role,), as_json)

    return list_role


def _show_command(call: Call) -> Callable[..., None]:
    def show(component: Component, as_json: Json = False) -> None:
        _show(call, _find(call, component), as_json)

    return show


def _add_check(plugins: typer.Typer, call: Call) -> None:
    """Add ``check``, with the options of the component on the command line as flags."""
    help_text = "Test a component against the contract of its role; options as for `run` (--backend.model ID)."
    if "check" not in call.arguments:  # flags need pydantic, whose import takes a third of the time of a list
        plugins.command("check", help=help_text)(lambda: None)
        return
    from anyanomaly.cli.flags import with_flags

    components = [argument for argument in call.arguments if ":" in argument and not argument.startswith("-")]
    is_check = call.arguments[:1] == ("check",)
    flags = option_flags(call, _find(call, components[0])) if is_check and components else []

    def check(flag_values: FlagValues, component: Component) -> None:
        spec = _find(call, component)
        call.registry.check_requirements(spec)

        from anyanomaly.testing.plugin import check as run_contract

        options = {path[0]: value for path, value in flag_values.items()}
        if run_contract(component, options, call.plugins):
            raise PluginError(f"{spec.role.capitalize()} '{spec.name}' violates the contract of its role; see above.")

    plugins.command("check", help=help_text)(with_flags(check, flags))


def _find(call: Call, component: str) -> ComponentSpec:
    role, colon, name = component.partition(":")
    if not colon or role not in ROLE_NAMES:
        roles = ", ".join(ROLE_NAMES)
        raise UsageError(
            f"'{component}' is not a component; write ROLE:NAME, for example backend:replay. Roles: {roles}."
        )
    return call.registry.find(role, name)


def _show(call: Call, spec: ComponentSpec, as_json: bool) -> None:
    description = describe_spec(call, spec)
    if as_json:
        print_json({**description, "options_schema": call.registry.options_model(spec).model_json_schema()})
        return
    print_line(f"{spec.role} {spec.name}: {spec.summary}")
    print_table(list(_spec_rows(description)), "  ")
    flags = option_flags(call, spec)
    print_line("Options:" if flags else "It has no options.")
    for flag in flags:
        print_line(f"  {flag.names[0]} {flag.metavar or ''}".rstrip())
        print_line(f"      {flag.help}")


def option_flags(call: Call, spec: ComponentSpec) -> list[Flag]:
    """Return the flags of a component's options, as `run` has them.

    :raises PluginLoadError: when its options model cannot be imported.
    """
    from anyanomaly.cli.flags import field_flags

    prefix = f"{spec.role}.{spec.name}." if spec.role in ("context", "gate", "sink") else f"{spec.role}."
    return field_flags(call.registry.options_model(spec), (), {}, prefix)


def _spec_rows(description: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of the fields of a spec that are not empty."""
    terms = {True: "yes", False: "no", None: "any number"}
    for name, value in description.items():
        if name in ("role", "name", "summary") or value in ("", []):
            continue
        text = terms[value] if isinstance(value, bool | None) else value
        yield name.replace("_", " "), ", ".join(map(str, text)) if isinstance(text, list) else str(text)
