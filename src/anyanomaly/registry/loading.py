"""Load plugins one at a time, each isolated: one that fails loses its own components and harms nobody."""

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
PATIENCE_S = 2.0
"""Time that a plugin's import, or its hooks, may take: they hold literals and need milliseconds. Waiting for a CPU on
a machine that is busy with other things does not count, where the system tells it (Linux)."""

_MARK = "__anyanomaly_plugin_file__"
_KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin, or a part of it, that is switched off, and why: one sentence."""

    plugin: str
    message: str


@dataclass(slots=True)
class Plugin:
    """A plugin and what it registered."""

    name: str
    module: object
    distribution: str = ""  # name and version, where it came from one
    specs: list[ComponentSpec] = field(default_factory=list)


class _Fault(Exception):
    """What is wrong with a plugin, said to the user."""


def load_plugins(extra: Iterable[str]) -> tuple[pluggy.PluginManager, list[Plugin], list[Problem]]:
    """Load the built-ins, the installed plugins, and the files or modules in ``extra``.

    ``ANYANOMALY_DISABLE_PLUGINS`` names entry points to leave out, separated by commas.

    :raises PluginLoadError: for one of ``extra``, which the user asked for by name.
    """
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    plugins: list[Plugin] = []
    problems: list[Problem] = []
    builtin = importlib.import_module("anyanomaly.builtin")
    plugins.append(_registered(manager, Plugin("builtin", builtin), problems))
    disabled = set(os.environ.get("ANYANOMALY_DISABLE_PLUGINS", "").replace(" ", "").split(","))
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if point.name in disabled:
            continue
        try:
            plugin = Plugin(point.name, _patiently(point.load), _distribution(point))
            plugins.append(_registered(manager, plugin, problems))
        except _Fault as fault:
            problems.append(Problem(point.name, f"Plugin '{point.name}' is switched off: {fault}"))
    for source in extra:
        try:
            plugins.append(_registered(manager, Plugin(Path(source).stem, _imported(source)), problems))
        except _Fault as fault:
            raise PluginLoadError(f"Cannot use the plugin {source}: {fault}") from fault
    return manager, plugins, problems


def call_alone(manager: pluggy.PluginManager, plugin: Plugin, hook: str, **arguments: Any) -> list[Any]:
    """Call one hook of one plugin; another plugin's fault cannot reach its results.

    :raises PluginLoadError: when the plugin raises or is slow.
    """
    others = [module for _, module in manager.list_name_plugin() if module is not plugin.module]
    caller = manager.subset_hook_caller(hook, remove_plugins=others)
    try:
        results: list[Any] = _patiently(lambda: caller(**arguments))
    except _Fault as fault:
        raise PluginLoadError(f"Plugin '{plugin.name}': its hook {hook} failed: {fault}") from fault
    return results


def _registered(manager: pluggy.PluginManager, plugin: Plugin, problems: list[Problem]) -> Plugin:
    """Register a plugin and collect its specs, role by role; a role whose hook fails is left out."""
    try:
        manager.register(plugin.module, name=plugin.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        manager.unregister(plugin.module)
        raise _Fault(_unknown_hook(plugin.module) or str(error).split("\n")[0]) from error
    except ValueError as error:
        raise _Fault(f"its name is taken ({error})") from error
    for role in ROLES:
        try:
            for specs in call_alone(manager, plugin, role.hook):
                plugin.specs.extend(_checked(specs, role))
        except (PluginLoadError, _Fault) as fault:
            sentence = str(fault) if isinstance(fault, PluginLoadError) else f"Plugin '{plugin.name}': {fault}"
            problems.append(Problem(plugin.name, f"{sentence} Its {role.name}s are left out."))
    return plugin


def _checked(specs: object, role: Role) -> list[ComponentSpec]:
    if not isinstance(specs, Iterable):
        raise _Fault(f"{role.hook} returned {type(specs).__name__}, not a list of {role.spec.__name__}.")
    checked = []
    for spec in specs:
        if not isinstance(spec, role.spec):
            raise _Fault(f"{role.hook} gave a {type(spec).__name__}, not a {role.spec.__name__}.")
        if not _KEBAB.fullmatch(spec.name):
            raise _Fault(f"the {role.name} name {spec.name!r} is not in lower-case-with-dashes.")
        checked.append(spec)
    return checked


def _unknown_hook(module: object) -> str:
    known = {name for name in vars(hookspecs) if name.startswith("anyanomaly_")}
    unknown = [name for name in dir(module) if name.startswith("anyanomaly_") and name not in known]
    return f"unknown hook '{unknown[0]}' (is it made for a newer anyanomaly?)" if unknown else ""


def _patiently(work: Callable[[], Any]) -> Any:
    """Do ``work`` on a thread and wait for it a while; a plugin that hangs must not hang the program.

    :raises _Fault: when it raises or takes too long. The thread is left behind then; it ends with the process.
    """
    result: list[Any] = []
    fault: list[BaseException] = []

    def target() -> None:
        try:
            result.append(work())
        except BaseException as error:  # SystemExit at import must not end us either
            fault.append(error)

    thread = threading.Thread(target=target, daemon=True)
    start = time.monotonic()
    thread.start()
    while thread.is_alive() and (left := PATIENCE_S + _queued_s(thread) - (time.monotonic() - start)) > 0:
        thread.join(left)
    if thread.is_alive():
        raise _Fault(f"it was still busy after {PATIENCE_S:g} s; a plugin's entry module must hold literals only.")
    if fault:
        raise _Fault(_told(fault[0])) from fault[0]
    return result[0]


def _queued_s(thread: threading.Thread) -> float:
    """How long a thread was ready to run and had no CPU."""
    try:
        return int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _told(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.msg} in {error.filename}, line {error.lineno}."
    message = str(error).strip().split("\n")[0]
    return f"{type(error).__name__}: {message}." if message else f"{type(error).__name__}."


def _imported(source: str) -> ModuleType:
    """Import a plugin file (as a module of its file's name, so that its specs can name it) or a module."""
    path = Path(source)
    if path.suffix != ".py":
        return _patiently(lambda: importlib.import_module(source))  # type: ignore[no-any-return]
    if not path.is_file():
        raise _Fault("there is no such file.")
    taken = sys.modules.get(path.stem)
    if taken is not None and not hasattr(taken, _MARK):  # an earlier plugin file may be replaced, nothing else
        raise _Fault(f"a module named '{path.stem}' is imported already; rename the file.")
    spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise _Fault("it is no Python file.")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _MARK, True)
    sys.modules[path.stem] = module
    try:
        _patiently(lambda: spec.loader.exec_module(module))  # type: ignore[union-attr]
    except _Fault:
        del sys.modules[path.stem]
        raise
    return module


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else ""
