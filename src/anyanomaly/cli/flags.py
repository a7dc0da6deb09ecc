"""Flags from the fields of pydantic models: a value has the same name in config files, in Python and as a flag.

A command gets the values of its flags as one argument, ``flag_values``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import typer
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from anyanomaly.errors import InvalidOption
from anyanomaly.outside_text import terminal_line

Choices: TypeAlias = Callable[[], Sequence[tuple[str, str]]]
"""Returns the values that complete a flag, each with its description."""

OTHER_FLAG = "other_flag"
"""Key in a field's ``json_schema_extra``: a second name of its flag, without the prefix."""

_METAVARS = {int: "INT", float: "NUMBER", str: "TEXT"}


@dataclass(frozen=True)
class Flag:
    """A flag: an option of the command line that sets one value."""

    path: tuple[str, ...]  # of the value in a config file: ("backend", "batch_size")
    names: tuple[str, ...]  # ("--backend.batch-size",)
    help: str
    kind: Literal["value", "switch", "list"] = "value"
    metavar: str | None = "NAME"
    type: Any = None  # validated by pydantic; None: the value stays a string
    choices: Choices = field(default=lambda: ())

    def parameter(self, name: str) -> inspect.Parameter:
        """Return the flag as a parameter of a Typer command; it is None when the flag is not on the command line."""
        kinds: dict[str, Any] = {"value": str, "switch": bool, "list": list[str]}
        option = typer.Option(
            *self.names,
            help=self.help,
            metavar=self.metavar if self.kind != "switch" else None,
            show_default=False,
            autocompletion=self._complete,
        )
        annotation: Any = Annotated[kinds[self.kind] | None, option]
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)

    def validate(self, value: Any) -> Any:
        """Return a value from the command line in the type of the flag.

        :raises InvalidOption: when the value is not allowed.
        """
        if self.type is None:
            return value
        try:
            return TypeAdapter(self.type).validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            reason = first["msg"].removeprefix("Value error, ")
            reason = reason[:1].lower() + reason[1:]
            flag = self.names[-1]
            subject = flag if first["type"] == "value_error" else f"{flag} cannot be {value!r}"
            raise InvalidOption(f"{subject}: {reason}.") from error

    def _complete(self, incomplete: str) -> list[tuple[str, str]]:
        return [choice for choice in self.choices() if choice[0].startswith(incomplete)]


def field_flags(
    model: type[BaseModel],
    path: tuple[str, ...],
    current: Mapping[str, Any],
    prefix: str = "",
    exclude: Iterable[str] = (),
) -> list[Flag]:
    """Return a flag for each field of a model except secrets and tables, which a flag cannot hold.

    :param path: of the table with the fields. :param current: values in effect, which help texts show as defaults.
    :param prefix: of the flags' names, for example ``backend.``. :param exclude: names of fields without a flag.
    """
    flags = (
        _field_flag(name, info, path, current, prefix)
        for name, info in model.model_fields.items()
        if name not in exclude
    )
    return [flag for flag in flags if flag]


def with_flags(command: Callable[..., Any], flags: Sequence[Flag]) -> Callable[..., Any]:
    """Return a Typer command that calls ``command`` with its own arguments and, as the first, ``flag_values``."""
    signature = inspect.signature(command, eval_str=True)
    own_parameters = [parameter for name, parameter in signature.parameters.items() if name != "flag_values"]
    by_name = {f"flag_{number}": flag for number, flag in enumerate(flags)}

    def typer_command(**arguments: Any) -> Any:
        raw_values = [(flag, arguments.pop(name)) for name, flag in by_name.items()]
        flag_values = {flag.path: flag.validate(value) for flag, value in raw_values if value not in (None, [])}
        return command(flag_values, **arguments)

    parameters = [*own_parameters, *(flag.parameter(name) for name, flag in by_name.items())]
    parameters.sort(key=lambda parameter: parameter.kind)
    typer_command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    typer_command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    typer_command.__doc__ = command.__doc__
    return typer_command


def _field_flag(
    name: str, info: FieldInfo, path: tuple[str, ...], current: Mapping[str, Any], prefix: str
) -> Flag | None:
    kind = _unwrap(info.annotation)
    flag = f"--{prefix}{name.replace('_', '-')}"
    value = current.get(name, info.get_default(call_default_factory=True))
    help_text = terminal_line(f"{(info.description or '').rstrip('.')}{_default_note(value)}")
    # without the rest of the field, such as its default: pydantic warns of what has no effect outside of a model
    as_type: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    if kind is bool:
        names = (f"{flag}/--{prefix}no-{name.replace('_', '-')}",)
        return Flag((*path, name), names, help_text, "switch", None)
    if get_origin(kind) is Literal:
        values = [str(value) for value in get_args(kind) if str(value)]
        choices = [(value, "") for value in values]
        other_name = info.json_schema_extra.get(OTHER_FLAG) if isinstance(info.json_schema_extra, dict) else None
        other_names = (f"--{prefix}{other_name}",) if other_name else ()
        return Flag((*path, name), (*other_names, flag), help_text, "value", "|".join(values), as_type, lambda: choices)
    if get_origin(kind) in (list, tuple, set, frozenset):
        return Flag((*path, name), (flag,), f"{help_text} (repeatable)", "list", "TEXT", as_type)
    if get_origin(kind) is not None or kind is SecretStr or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return None  # a secret comes from the environment, a table from a file
    return Flag((*path, name), (flag,), help_text, "value", _METAVARS.get(kind, "TEXT"), as_type)


def _default_note(value: Any) -> str:
    """Return the end of a help text: the default in brackets; empty when the default is None or empty."""
    if value is None or value in ("", (), []):
        return ""
    if isinstance(value, list | tuple):
        text = ", ".join(map(str, value))
    else:
        text = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
    return f" [default: {text}]"


def _unwrap(annotation: Any) -> Any:
    """Return a type without ``Annotated`` and ``None``; a union of several types is ``str``."""
    if get_origin(annotation) is Annotated:
        return _unwrap(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _unwrap(kinds[0]) if len(kinds) == 1 else str
    return annotation
