"""Components behind the boundary: instances of a subclass whose methods and properties of the role are guarded."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

from anyanomaly import interrupts
from anyanomaly.api.component import Component
from anyanomaly.api.options import Options
from anyanomaly.guard import results
from anyanomaly.guard.failures import Origin
from anyanomaly.guard.slow_calls import reported
from anyanomaly.guard.streams import STREAMS
from anyanomaly.specs import ComponentSpec

_NOTHING = contextlib.nullcontext()


def create_guarded(
    target: type[Component[Options]],
    base: type[Component[Options]],
    spec: ComponentSpec,
    options: Options,
    origin: Origin,
) -> Component[Options]:
    """Return a component whose failures and wrong results are errors that name the plugin.

    :param base: the class of its role, whose public methods and properties are guarded.
    :raises AnyAnomalyError: `Origin.error`, when the class cannot be constructed.
    """
    guarded: type[Component[Options]]

    def guard_method(name: str) -> Callable[..., Any]:
        writes_or_frees = name == "close" or spec.role == "sink"  # half of it would lose data, or leave a process

        def call(component: Component[Options], *arguments: Any, **named: Any) -> Any:
            method = getattr(super(guarded, component), name)
            with interrupts.Deferred() if writes_or_frees else _NOTHING, reported(origin.label, name):
                if stream := STREAMS.get(name):
                    return stream(origin, name, component, method, *arguments, **named)
                result = origin.call(name, lambda: method(*arguments, **named))
                if check := results.CHECKS.get(name):
                    origin.check(name, lambda: check(result, spec, *arguments, **named))
                if name == "load":
                    _check_attributes(component, base, origin)
            if not writes_or_frees:
                interrupts.check()
            return result

        call.__name__, call.__doc__ = name, getattr(target, name).__doc__
        return call

    def guard_property(name: str) -> property:
        def get(component: Component[Options]) -> Any:
            value = origin.call(name, lambda: getattr(super(guarded, component), name))
            origin.check(name, lambda: results.check_attribute(name, value))
            return value

        return property(get, getattr(inspect.getattr_static(target, name), "fset", None))

    namespace: dict[str, Any] = {"__module__": target.__module__, "__qualname__": target.__qualname__}
    for name in dir(base):
        member = inspect.getattr_static(target, name)
        if name.startswith("_") or getattr(member, "__isabstractmethod__", False):
            continue  # a class with an abstract method cannot be constructed, which says what is missing
        if callable(member) or isinstance(member, staticmethod | classmethod):
            namespace[name] = guard_method(name)
        elif hasattr(member, "__get__"):
            namespace[name] = guard_property(name)

    def construct() -> Component[Options]:
        nonlocal guarded
        metaclass: Any = type(target)
        guarded = metaclass(target.__name__, (target,), namespace)
        return guarded(options)

    return origin.call("its constructor", construct)


def _check_attributes(component: Component[Options], base: type[Component[Options]], origin: Origin) -> None:
    """Check the attributes that ``load`` may set; properties are checked when they are read."""
    for name in results.ATTRIBUTES:
        if hasattr(base, name) and not isinstance(inspect.getattr_static(component, name), property):
            origin.check(name, functools.partial(_check_attribute, component, name))


def _check_attribute(component: Component[Options], name: str) -> None:
    results.check_attribute(name, getattr(component, name))
