"""What the hooks of plugins return: specs, each field of the type that it declares."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields

from anyanomaly.specs import AutoChoice, ComponentSpec, Role

MAX_SPECS = 1000
"""A hook that returns more specs is taken for one that never ends."""

_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TARGET = re.compile(r"[\w.]+:\w+")


class Fault(Exception):
    """A plugin failed; the message is the end of a sentence for the user."""


def read_specs(role: Role, specs: object) -> list[ComponentSpec]:
    """Return the specs that a hook of ``role`` returned.

    :raises Fault: when they are not specs of that role, or there are too many.
    """
    if not isinstance(specs, Iterable):
        raise Fault(f"it returned {type(specs).__name__}, not a list of {role.spec.__name__}.")
    checked: list[ComponentSpec] = []
    for spec in specs:
        if not isinstance(spec, role.spec):
            raise Fault(f"it returned a {type(spec).__name__}, not a {role.spec.__name__}.")
        if len(checked) == MAX_SPECS:
            raise Fault(f"it returned more than {MAX_SPECS} specs.")
        for field in fields(spec):
            _check_field(spec, field)
        checked.append(spec)
    return checked


def _check_field(spec: ComponentSpec, field: Field[object]) -> None:
    """:raises Fault: when a field of a spec has the wrong type or format."""
    value = getattr(spec, field.name)
    kind = str if field.default is MISSING else type(field.default)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        if value is None and field.name == "max_images":
            return
        raise Fault(f"the {field.name} of a {spec.role} is of type {type(value).__name__}, not {kind.__name__}.")
    item_kind = AutoChoice if field.name == "auto" else str
    if isinstance(value, tuple | frozenset) and not all(isinstance(item, item_kind) for item in value):
        raise Fault(f"the {field.name} of the {spec.role} {spec.name!r} must hold {item_kind.__name__} only.")
    if field.name == "name" and not _KEBAB.fullmatch(spec.name):
        raise Fault(f"the {spec.role} name {spec.name!r} is not in kebab-case (lower-case-with-dashes).")
    is_target = field.name == "target" or (field.name == "options" and value)
    if is_target and not _TARGET.fullmatch(str(value)):
        raise Fault(f"the {field.name} of the {spec.role} {spec.name!r} is {value!r}, not 'package.module:Class'.")
    if field.name == "install":
        try:
            shlex.split(spec.install)
        except ValueError as error:
            raise Fault(f"the install of the {spec.role} {spec.name!r} is no command: {error}.") from error
