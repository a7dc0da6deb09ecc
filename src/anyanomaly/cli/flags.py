"""Fields of pydantic models as flags: one name for one value in files, in Python and on the command line."""

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

Names: TypeAlias = Callable[[], Sequence[tuple[str, str]]]
"""What may complete a value: words with their meaning."""

_METAVARS = {int: "INT", float: "NUMBER", str: "TEXT"}


@dataclass(frozen=True)
class Flag:
    """An option of the command line that sets one value."""

    path: tuple[str, ...]  # where the value goes: ("backend", "batch_size")
    names: tuple[str, ...]  # ("--backend.batch-size",)
    help: str
    kind: Literal["value", "switch", "list"] = "value"
    metavar: str | None = "NAME"
    type: Any = None  # what pydantic makes of the words; None: as they are
    words: Names = field(default=lambda: ())

    def parameter(self, name: str) -> inspect.Parameter:
        """Return the flag as a parameter for Typer; its default, None, means that it was not given."""
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

    def read(self, given: Any) -> Any:
        """Return the value of the words given.

        :raises InvalidOption: when they do not fit.
        """
        if self.type is None:
            return given
        try:
            return TypeAdapter(self.type).validate_python(given)
        except ValidationError as error:
            first = error.errors()[0]
            reason = first["msg"].removeprefix("Value error, ")
            reason = reason[:1].lower() + reason[1:]
            said = (
                f"{self.names[-1]}: " if first["type"] == "value_error" else f"{self.names[-1]} cannot be {given!r}: "
            )
            raise InvalidOption(f"{said}{reason}.") from error

    def _complete(self, incomplete: str) -> list[tuple[str, str]]:
        return [word for word in self.words() if word[0].startswith(incomplete)]


def field_flags(
    model: type[BaseModel],
    path: tuple[str, ...],
    current: Mapping[str, Any],
    prefix: str = "",
    leave: Iterable[str] = (),
) -> list[Flag]:
    """Return a flag for each field of a model, fields in ``leave`` and those that no flag can hold apart.

    :param path: of the table that the fields are in. :param current: its values so far, shown as defaults.
    :param prefix: of the flags' names, for example ``backend.``.
    """
    flags = (
        _field_flag(name, info, path, current, prefix) for name, info in model.model_fields.items() if name not in leave
    )
    return [flag for flag in flags if flag]


def with_flags(command: Callable[..., Any], flags: Sequence[Flag]) -> Callable[..., Any]:
    """Return ``command`` with the flags as parameters; it gets the values given as its first argument, by path."""
    own = [each for name, each in inspect.signature(command, eval_str=True).parameters.items() if name != "given"]
    by_name = {f"flag_{number}": flag for number, flag in enumerate(flags)}

    def called(**values: Any) -> Any:
        told = {name: values.pop(name) for name in by_name}
        given = {flag.path: flag.read(told[name]) for name, flag in by_name.items() if told[name] not in (None, [])}
        return command(given, **values)

    parameters = [*own, *(flag.parameter(name) for name, flag in by_name.items())]
    parameters.sort(key=lambda each: each.kind)
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in parameters}
    called.__doc__ = command.__doc__
    return called


def _field_flag(
    name: str, info: FieldInfo, path: tuple[str, ...], current: Mapping[str, Any], prefix: str
) -> Flag | None:
    kind = _bare(info.annotation)
    flag = f"--{prefix}{name.replace('_', '-')}"
    value = current.get(name, info.get_default(call_default_factory=True))
    help_text = f"{(info.description or '').rstrip('.')}{_default(value)}"
    as_type: Any = Annotated[info.annotation, info]
    if kind is bool:
        names = (f"{flag}/--{prefix}no-{name.replace('_', '-')}",)
        return Flag((*path, name), names, help_text, "switch", None)
    if get_origin(kind) is Literal:
        choices = [str(each) for each in get_args(kind)]
        words = [(each, "") for each in choices if each]
        return Flag((*path, name), (flag,), help_text, "value", "|".join(filter(None, choices)), as_type, lambda: words)
    if get_origin(kind) in (list, tuple, set, frozenset):
        return Flag((*path, name), (flag,), f"{help_text} (repeatable)", "list", "TEXT", as_type)
    if get_origin(kind) is not None or kind is SecretStr or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return None  # a secret comes from the environment, a table from a file
    return Flag((*path, name), (flag,), help_text, "value", _METAVARS.get(kind, "TEXT"), as_type)


def _default(value: Any) -> str:
    """Return how a help text ends: with the value that holds when none is given."""
    if value is None or value in ("", (), []):
        return ""
    shown = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
    return f" [default: {', '.join(map(str, value)) if isinstance(value, list | tuple) else shown}]"


def _bare(annotation: Any) -> Any:
    """Return a type without ``Annotated`` and without None; a union of several stays text, as ``str``."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [each for each in get_args(annotation) if each is not NoneType]
        return _bare(kinds[0]) if len(kinds) == 1 else str
    return annotation
