"""Load plugins one at a time, in isolation: a plugin that fails loses only its own components."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from anyanomaly import hookspecs
from anyanomaly.errors import AnyAnomalyError, PluginLoadError
from anyanomaly.guard.failures import describe
from anyanomaly.registry.spec_checks import Fault, read_specs
from anyanomaly.specs import ROLES, ComponentSpec

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = "anyanomaly"
LOAD_TIMEOUT_S = 2.0
"""Timeout in seconds of a plugin's import and of each hook; they return literals and need milliseconds. On Linux, time
that the thread waits for a CPU does not count, so that plugins do not time out when the machine is under load."""

_PLUGIN_FILE_ATTRIBUTE = "__anyanomaly_plugin_file__"
"""Set on modules that were imported from a plugin file, which may be replaced by another plugin file."""


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
            plugin = Plugin(point.name, call_with_timeout(point.load), _distribution(point))
            plugins.append(_register(manager, plugin, problems))
        except (Fault, AnyAnomalyError) as fault:
            problems.append(Problem(point.name, f"Plugin '{point.name}' is disabled: {fault}"))
    for source in sources:
        try:
            plugins.append(_register(manager, Plugin(Path(source).stem, _import_source(source)), problems))
        except (Fault, AnyAnomalyError) as fault:
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


def call_hook(
    manager: pluggy.PluginManager,
    plugin: Plugin,
    hook: str,
    read: Callable[[Any], list[ComponentSpec]] | None = None,
    **arguments: Any,
) -> list[ComponentSpec]:
    """Call one hook of one plugin, and return what ``read`` makes of its results. The time limit holds for both.

    :raises PluginLoadError: when the hook raises or times out, or ``read`` refuses a result.
    """
    other_modules = [module for _, module in manager.list_name_plugin() if module is not plugin.module]
    caller = manager.subset_hook_caller(hook, remove_plugins=other_modules)

    def call() -> list[ComponentSpec]:
        results: list[Any] = caller(**arguments)
        if read is None:
            return []
        n_missing = len(caller.get_hookimpls()) - len(results)
        return [spec for result in [*results, *[None] * n_missing] for spec in read(result)]  # pluggy drops None

    try:
        return call_with_timeout(call)
    except (Fault, AnyAnomalyError) as fault:
        raise PluginLoadError(f"Plugin '{plugin.name}': its hook {hook} failed: {fault}") from fault


def _register(manager: pluggy.PluginManager, plugin: Plugin, problems: list[Problem]) -> Plugin:
    """Register a plugin, collect its specs and return it. A hook that fails loses only the components of its role.

    :raises Fault: when the plugin cannot be registered.
    """
    try:
        manager.register(plugin.module, name=plugin.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        if manager.is_registered(plugin.module):
            manager.unregister(plugin.module)
        raise Fault(_unknown_hook(plugin.module) or str(error).split("\n")[0]) from error
    except ValueError as error:
        raise Fault(f"another plugin has its name ({error})") from error
    for role in ROLES:
        try:
            plugin.specs += call_hook(manager, plugin, role.hook, functools.partial(read_specs, role))
        except PluginLoadError as error:
            problems.append(Problem(plugin.name, f"{error} Its {role.name}s are disabled."))
    return plugin


def _unknown_hook(module: object) -> str:
    """Return a message on the first hook that this version does not have; empty when there is none."""
    hooks = {name for name in vars(hookspecs) if name.startswith("anyanomaly_")}
    unknown = [name for name in dir(module) if name.startswith("anyanomaly_") and name not in hooks]
    return f"unknown hook '{unknown[0]}'; check its spelling, or upgrade anyanomaly." if unknown else ""


def call_with_timeout(function: Callable[[], T], timeout_s: float | None = None) -> T:
    """Call ``function`` on a thread and return its result, so that a plugin that hangs does not hang the program.

    :param timeout_s: None: `LOAD_TIMEOUT_S`.
    :raises AnyAnomalyError: as ``function``. :raises Fault: when it raises something else, or times out; its thread is
        then asked to end, which native code does not hear.
    """
    limit_s = LOAD_TIMEOUT_S if timeout_s is None else timeout_s
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(function())
        except BaseException as error:  # a plugin that calls sys.exit at import must not end the program
            errors.append(error)

    thread = threading.Thread(target=target, name="anyanomaly-plugin", daemon=True)
    start = time.monotonic()
    thread.start()
    while thread.is_alive() and (remaining := limit_s + _cpu_wait_s(thread) - (time.monotonic() - start)) > 0:
        thread.join(remaining)
    if thread.is_alive():
        _ask_to_end(thread)
        raise Fault(f"loading timed out after {limit_s:g} s; move slow imports and work out of the entry module.")
    if errors and isinstance(errors[0], AnyAnomalyError):
        raise errors[0]
    if errors:
        log.info("A plugin failed:", exc_info=errors[0])
        raise Fault(describe(errors[0])) from errors[0]
    return results[0]


def _ask_to_end(thread: threading.Thread) -> None:
    """Raise an exception in a thread, so that a loop without end does not take memory and time from the run."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))


def _cpu_wait_s(thread: threading.Thread) -> float:
    """Return the seconds that a thread was ready to run and waited for a CPU; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _import_source(source: str) -> ModuleType:
    """Import a plugin that the user names: a module, or a file as a module with the file's name.

    :raises Fault: when it cannot be imported.
    """
    path = Path(source)
    if path.suffix != ".py":
        return call_with_timeout(lambda: importlib.import_module(source))
    if not path.is_file():
        raise Fault("there is no such file. Check the path.")
    loaded_module = sys.modules.get(path.stem)
    if loaded_module is not None and not hasattr(loaded_module, _PLUGIN_FILE_ATTRIBUTE):
        raise Fault(f"there is already a module named '{path.stem}'; rename the file.")
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise Fault("it is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _PLUGIN_FILE_ATTRIBUTE, True)
    sys.modules[path.stem] = module
    try:
        call_with_timeout(functools.partial(spec.loader.exec_module, module))
    except (Fault, AnyAnomalyError):
        del sys.modules[path.stem]
        raise
    return module


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else ""
