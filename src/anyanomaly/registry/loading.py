"""Load plugins one at a time, in isolation: a plugin that fails loses only its own components."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from anyanomaly import hookspecs
from anyanomaly.errors import PluginLoadError
from anyanomaly.specs import ROLES, ComponentSpec, Role

GROUP = "anyanomaly"
LOAD_TIMEOUT_S = 2.0
"""Timeout in seconds of a plugin's import and of each hook; they return literals and need milliseconds. On Linux, time
that the thread waits for a CPU does not count, so that plugins do not time out when the machine is under load."""

_PLUGIN_FILE_ATTRIBUTE = "__anyanomaly_plugin_file__"
"""Set on modules that were imported from a plugin file, which may be replaced by another plugin file."""
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin, or a part of it, that is disabled, and the reason in a sentence or two."""

    plugin: str
    message: str


@dataclass(slots=True)
class Plugin:
    """A plugin and the specs that it registered."""

    name: str
    module: object
    distribution: str = ""  # name and version; empty for a file or a module
    specs: list[ComponentSpec] = field(default_factory=list)


class _Fault(Exception):
    """A plugin failed; the message is a part of a sentence for the user."""


def load_plugins(sources: Iterable[str]) -> tuple[pluggy.PluginManager, list[Plugin], list[Problem]]:
    """Load the built-in components, the installed plugins, and ``sources``: files or modules.

    Entry points in ``ANYANOMALY_DISABLE_PLUGINS`` (names, separated by commas) are skipped.

    :raises PluginLoadError: when one of ``sources`` fails; an installed plugin that fails becomes a `Problem`.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    plugins: list[Plugin] = []
    problems: list[Problem] = []
    builtin = importlib.import_module("anyanomaly.builtin")
    plugins.append(_register(manager, Plugin("builtin", builtin), problems))
    disabled = _disabled_plugins()
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        if point.name in disabled:
            continue
        try:
            plugin = Plugin(point.name, _call_with_timeout(point.load), _distribution(point))
            plugins.append(_register(manager, plugin, problems))
        except _Fault as fault:
            problems.append(Problem(point.name, f"Plugin '{point.name}' is disabled: {fault}"))
    for source in sources:
        try:
            plugins.append(_register(manager, Plugin(Path(source).stem, _import_source(source)), problems))
        except _Fault as fault:
            raise PluginLoadError(f"Cannot load the plugin {source}: {fault}") from fault
    return manager, plugins, problems


def why_disabled(distribution: str, problems: Iterable[Problem]) -> str:
    """Return why the plugin of an installed distribution is disabled, and what to do; empty when it is not."""
    points = [point for point in entry_points(group=GROUP) if point.dist and point.dist.name == distribution]
    for point in points:
        if point.name in _disabled_plugins():
            return f"Plugin '{point.name}' is disabled. Remove it from the variable ANYANOMALY_DISABLE_PLUGINS."
    names = [point.name for point in points]
    return next((problem.message for problem in problems if problem.plugin in names), "")


def _disabled_plugins() -> set[str]:
    return set(os.environ.get("ANYANOMALY_DISABLE_PLUGINS", "").replace(" ", "").split(","))


def call_hook(manager: pluggy.PluginManager, plugin: Plugin, hook: str, **arguments: Any) -> list[Any]:
    """Call one hook of one plugin and return its results.

    :raises PluginLoadError: when the hook raises or times out.
    """
    other_modules = [module for _, module in manager.list_name_plugin() if module is not plugin.module]
    caller = manager.subset_hook_caller(hook, remove_plugins=other_modules)
    try:
        results: list[Any] = _call_with_timeout(lambda: caller(**arguments))
    except _Fault as fault:
        raise PluginLoadError(f"Plugin '{plugin.name}': its hook {hook} failed: {fault}") from fault
    return results


def _register(manager: pluggy.PluginManager, plugin: Plugin, problems: list[Problem]) -> Plugin:
    """Register a plugin, collect its specs and return it. A hook that fails loses only the components of its role.

    :raises _Fault: when the plugin cannot be registered.
    """
    try:
        manager.register(plugin.module, name=plugin.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        manager.unregister(plugin.module)
        raise _Fault(_unknown_hook(plugin.module) or str(error).split("\n")[0]) from error
    except ValueError as error:
        raise _Fault(f"another plugin has its name ({error})") from error
    for role in ROLES:
        try:
            for specs in call_hook(manager, plugin, role.hook):
                plugin.specs.extend(_check_specs(specs, role))
        except (PluginLoadError, _Fault) as fault:
            sentence = str(fault) if isinstance(fault, PluginLoadError) else f"Plugin '{plugin.name}': {fault}"
            problems.append(Problem(plugin.name, f"{sentence} Its {role.name}s are disabled."))
    return plugin


def _check_specs(specs: object, role: Role) -> list[ComponentSpec]:
    """Return the specs that a hook of ``role`` returned.

    :raises _Fault: when they are not specs of that role.
    """
    if not isinstance(specs, Iterable):
        raise _Fault(f"{role.hook} returned {type(specs).__name__}, not a list of {role.spec.__name__}.")
    checked = []
    for spec in specs:
        if not isinstance(spec, role.spec):
            raise _Fault(f"{role.hook} returned a {type(spec).__name__}, not a {role.spec.__name__}.")
        if not _KEBAB.fullmatch(spec.name):
            raise _Fault(f"the {role.name} name {spec.name!r} is not in kebab-case (lower-case-with-dashes).")
        checked.append(spec)
    return checked


def _unknown_hook(module: object) -> str:
    """Return a message on the first hook that this version does not have; empty when there is none."""
    hooks = {name for name in vars(hookspecs) if name.startswith("anyanomaly_")}
    unknown = [name for name in dir(module) if name.startswith("anyanomaly_") and name not in hooks]
    return f"unknown hook '{unknown[0]}'; check its spelling, or upgrade anyanomaly." if unknown else ""


def _call_with_timeout(function: Callable[[], Any]) -> Any:
    """Call ``function`` on a thread and return its result, so that a plugin that hangs does not hang the program.

    :raises _Fault: when it raises or times out. A thread that times out continues until the process ends.
    """
    results: list[Any] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(function())
        except BaseException as error:  # a plugin that calls sys.exit at import must not end the program
            errors.append(error)

    thread = threading.Thread(target=target, daemon=True)
    start = time.monotonic()
    thread.start()
    while thread.is_alive() and (remaining := LOAD_TIMEOUT_S + _cpu_wait_s(thread) - (time.monotonic() - start)) > 0:
        thread.join(remaining)
    if thread.is_alive():
        raise _Fault(
            f"loading timed out after {LOAD_TIMEOUT_S:g} s; move slow imports and work out of the entry module."
        )
    if errors:
        raise _Fault(_describe_error(errors[0])) from errors[0]
    return results[0]


def _cpu_wait_s(thread: threading.Thread) -> float:
    """Return the seconds that a thread was ready to run and waited for a CPU; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _describe_error(error: BaseException) -> str:
    """Return an exception as one line for the user."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} in {error.filename}, line {error.lineno}."
    message = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {message}." if message else f"{type(error).__name__}."


def _import_source(source: str) -> ModuleType:
    """Import a plugin that the user names: a module, or a file as a module with the file's name.

    :raises _Fault: when it cannot be imported.
    """
    path = Path(source)
    if path.suffix != ".py":
        return _call_with_timeout(lambda: importlib.import_module(source))  # type: ignore[no-any-return]
    if not path.is_file():
        raise _Fault("there is no such file. Check the path.")
    loaded_module = sys.modules.get(path.stem)
    if loaded_module is not None and not hasattr(loaded_module, _PLUGIN_FILE_ATTRIBUTE):
        raise _Fault(f"there is already a module named '{path.stem}'; rename the file.")
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise _Fault("it is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _PLUGIN_FILE_ATTRIBUTE, True)
    sys.modules[path.stem] = module
    try:
        _call_with_timeout(lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    except _Fault:
        del sys.modules[path.stem]
        raise
    return module


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else ""
