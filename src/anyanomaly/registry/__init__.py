"""The registry: all components that plugins offer, by role and name.

A component's code is imported when it is used, not before. ``loading`` loads the plugins, ``auto`` chooses the backend
``auto``, ``known`` lists what can be installed.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly.errors import (
    ROLE_ERRORS,
    AnyAnomalyError,
    MissingRequirement,
    PluginConflict,
    PluginError,
    PluginLoadError,
    UnknownComponent,
    UsageError,
)
from anyanomaly.guard.failures import TRACEBACK_ADVICE, Origin, own_frames
from anyanomaly.guard.slow_calls import reported
from anyanomaly.install import install_command
from anyanomaly.registry.known import FIRST_PARTY_PACKAGES
from anyanomaly.registry.loading import (
    Plugin,
    Problem,
    call_hook,
    call_with_timeout,
    load_plugins,
    why_disabled,
)
from anyanomaly.registry.requirements import installed_versions, missing_requirement
from anyanomaly.registry.spec_checks import Fault
from anyanomaly.specs import ROLES, ComponentSpec, ReaderSpec, SinkSpec

if TYPE_CHECKING:
    from anyanomaly.api.component import Component
    from anyanomaly.api.options import Options

OPTIONS_TIMEOUT_S = 10.0
"""Timeout in seconds of the import of an options model, which ``--help`` needs; it imports pydantic and little else."""

__all__ = ["Problem", "Registry", "load", "missing_requirement"]


def load(plugins: Sequence[str] = ()) -> Registry:
    """Load the built-in components, the installed plugins, and ``plugins`` (files or modules).

    :raises PluginLoadError: when one of ``plugins`` fails; installed plugins that fail go into ``Registry.problems``.
    """
    return Registry(plugins)


class Registry:
    """All components that plugins offer, and the ``problems`` of plugins that failed."""

    def __init__(self, plugins: Sequence[str] = ()) -> None:
        """:param plugins: files or modules to load. :raises PluginLoadError: when one of them fails."""
        self._manager, self._plugins, self.problems = load_plugins(plugins)

    def specs(self, role: str) -> list[ComponentSpec]:
        """Return the specs of a role, sorted by name. A name that two plugins offer occurs twice."""
        offered = [spec for plugin in self._plugins for spec in plugin.specs if spec.role == role]
        return sorted(offered, key=lambda spec: spec.name)

    def provider(self, spec: ComponentSpec) -> str:
        """Return the distribution and version that a component comes from; for a file or module, the plugin's name."""
        plugin = self._plugin_of(spec)
        return plugin.distribution or plugin.name

    def find(self, role: str, name: str) -> ComponentSpec:
        """Return the spec of a component.

        :raises UnknownComponent: when there is none of this name. :raises PluginConflict: when two plugins offer it.
        :raises MissingRequirement: when it is a component of this project that is not installed.
        """
        matches = [spec for spec in self.specs(role) if spec.name == name]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise PluginConflict(_describe_conflict(role, name, [self._plugin_of(spec) for spec in matches]))
        if package := FIRST_PARTY_PACKAGES.get((role, name)):
            reason = why_disabled(package.partition("[")[0], self.problems)
            advice = reason or f"Run: {install_command(package)}"
            raise MissingRequirement(
                f"{role.capitalize()} '{name}' is not {'available' if reason else 'installed'}. {advice}"
            )
        names = sorted({spec.name for spec in self.specs(role)})
        near = get_close_matches(name, names, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UnknownComponent(f"Unknown {role} '{name}'.{hint} Installed: {', '.join(names) or 'none'}.")

    def missing_requirements(self, spec: ComponentSpec) -> list[str]:
        """Return the requirements of a component that are not installed, each as a phrase for messages."""
        return [phrase for requirement in spec.requires if (phrase := missing_requirement(requirement))]

    def check_requirements(self, spec: ComponentSpec) -> None:
        """Check that everything that a component requires is installed, from metadata, without importing it.

        :raises MissingRequirement: when something is missing, with the command that installs it.
        """
        if missing := self.missing_requirements(spec):
            install = self.install_command(spec)
            raise MissingRequirement(
                f"{spec.role.capitalize()} '{spec.name}' needs {' and '.join(missing)}. Run: {install}"
            )

    def install_command(self, spec: ComponentSpec) -> str:
        """Return the command that installs what a component lacks; empty when nothing is missing."""
        missing = [text.partition(" | ")[0] for text in spec.requires if missing_requirement(text)]
        declared = shlex.split(spec.install.removeprefix("pip install "))
        return install_command(*(declared or missing)) if missing else ""

    def options_model(self, spec: ComponentSpec) -> type[Options]:
        """Import and return a component's options model.

        :raises PluginLoadError: when it cannot be imported in time, or is not a subclass of ``anyanomaly.api.Options``.
        """
        target = spec.options or "anyanomaly.api.options:Options"
        model: type[Options] = self._import(spec, target, "anyanomaly.api.options:Options", OPTIONS_TIMEOUT_S)
        return model

    def check_options(self, spec: ComponentSpec, options: Mapping[str, Any]) -> Options:
        """Return a component's options with all defaults filled in.

        :param options: a user's values by option name.
        :raises PluginLoadError: when its options model cannot be imported.
        :raises InvalidOption: when an option does not exist or its value is not allowed.
        :raises PluginError: when the options model fails in another way.
        """
        model = self.options_model(spec)
        owner = f"{spec.role.capitalize()} '{spec.name}'"
        return self._origin(spec, PluginError).call("its options", lambda: model.validate_values(options, owner))

    def create(self, spec: ComponentSpec, options: Options | Mapping[str, Any]) -> Component[Options]:
        """Import a component's class and construct it; its ``load`` is not called.

        Whatever the component raises or returns wrongly from now on is the error of its role (``errors.ROLE_ERRORS``).

        :param options: validated, or a user's values by option name.
        :raises PluginLoadError: when the class cannot be imported, or is not a subclass of its role's base class.
        :raises InvalidOption: when an option does not exist or its value is not allowed.
        """
        from anyanomaly.guard.component import create_guarded

        checked = self.check_options(spec, options) if isinstance(options, Mapping) else options
        base = next(entry.base for entry in ROLES if entry.name == spec.role)
        target = self._import(spec, spec.target, f"anyanomaly.api:{base}")
        base_class = getattr(importlib.import_module("anyanomaly.api"), base)
        return create_guarded(target, base_class, spec, checked, self._origin(spec))

    def reader_for(self, uri: str) -> ReaderSpec:
        """Return the reader for a scheme or suffix; else ``images`` for a folder or pattern, ``video`` for a file.

        Readers of third parties come before the built-in ones.

        :raises UsageError: when no reader takes the scheme.
        """
        scheme, separator, _ = uri.partition("://")
        readers = [
            spec
            for plugin in reversed(self._plugins)  # the built-in one is first
            for spec in plugin.specs
            if isinstance(spec, ReaderSpec)
        ]
        if separator:
            for spec in readers:
                if scheme.lower() in spec.schemes:
                    return spec
            raise UsageError(f"No reader takes {scheme}:// URIs. List the installed readers: anyanomaly plugins reader")
        path = Path(uri)
        if path.is_dir() or (any(char in uri for char in "*?[") and not path.exists()):
            return next(spec for spec in readers if spec.name == "images")
        for spec in readers:
            if path.suffix.lower() in spec.suffixes and not spec.schemes:
                return spec
        return next(spec for spec in readers if spec.name == "video")

    def sink_for(self, path: str) -> SinkSpec:
        """Return the sink for the suffix of a path.

        :raises UsageError: when there is none.
        """
        sinks = [spec for spec in self.specs("sink") if isinstance(spec, SinkSpec)]
        endings = [suffix.lower() for suffix in Path(path).suffixes]
        for suffix in ("".join(endings[-2:]), "".join(endings[-1:])):  # .jsonl.gz before .gz
            for spec in sinks:
                if suffix in spec.suffixes:
                    return spec
        suffixes = sorted(suffix for spec in sinks for suffix in spec.suffixes)
        choices = ", ".join(suffixes)
        example = next((spec.name for spec in sinks if spec.suffixes and spec.streams), "NAME")
        raise UsageError(
            f"Cannot infer an output format from '{path}'. Use one of {choices}, or name the format instead of -o: "
            f"--sink {example} --sink.{example}.path {shlex.quote(path)}"
        )

    def versions(self, specs: Iterable[ComponentSpec] = ()) -> dict[str, str]:
        """Return the versions of anyanomaly, of all plugins' distributions, and of the requirements of components.

        :param specs: components of a run; torch and the engine are among their requirements.
        """
        from anyanomaly import __version__

        plugins = dict(plugin.distribution.split(" ") for plugin in self._plugins if plugin.distribution)
        requirements = installed_versions(text for spec in specs for text in spec.requires)
        return {"anyanomaly": __version__, **dict(sorted((requirements | plugins).items()))}

    def register_commands(self, new_app: Callable[[], Any]) -> list[tuple[Origin, Any]]:
        """Return one application per plugin that adds commands; a plugin that fails goes into ``problems``.

        :param new_app: makes an empty application.
        """
        apps = []
        for plugin in self._plugins:
            if not hasattr(plugin.module, "anyanomaly_register_commands"):
                continue
            app = new_app()
            try:
                call_hook(self._manager, plugin, "anyanomaly_register_commands", app=app)
            except PluginLoadError as error:
                self.problems.append(Problem(plugin.name, f"{error} Its commands are disabled."))
            else:
                apps.append((Origin(f"Plugin '{plugin.name}'", _module_name(plugin), PluginError), app))
        return apps

    def plugin_failure(self, error: BaseException) -> AnyAnomalyError | None:
        """Return the error for an exception that code of a plugin raised, wherever it was called; None: it was not."""
        for plugin in self._plugins[1:]:  # the first is the built-in one
            modules = {_module_name(plugin), *(spec.target.partition(":")[0] for spec in plugin.specs)}
            for module in sorted(modules):
                if own_frames(error, module):
                    return Origin(f"Plugin '{plugin.name}'", module, PluginError).failure(error, "its code")
        return None

    def _plugin_of(self, spec: ComponentSpec) -> Plugin:
        return next(plugin for plugin in self._plugins if any(offer is spec for offer in plugin.specs))

    def _origin(self, spec: ComponentSpec, error: type[AnyAnomalyError] | None = None) -> Origin:
        label = f"{spec.role.capitalize()} '{spec.name}' of {self.provider(spec)}"
        passes = (BrokenPipeError,) if spec.role == "sink" else ()  # nobody reads what it writes to standard output
        return Origin(label, spec.target.partition(":")[0], error or ROLE_ERRORS[spec.role], passes)

    def _import(self, spec: ComponentSpec, target: str, base: str, timeout_s: float | None = None) -> Any:
        """Import and return a class of a component, which must be a subclass of ``base``, another "module:Class".

        :raises PluginLoadError: when it cannot be imported, within ``timeout_s`` seconds if given, or is none.
        """
        origin = self._origin(spec, PluginLoadError)
        module_name, _, name = target.partition(":")

        def load() -> Any:
            return getattr(importlib.import_module(module_name), name)

        step = f"the import of {target}"
        try:
            with reported(origin.label, "import"):
                imported = call_with_timeout(load, timeout_s) if timeout_s else origin.call(step, load)
        except Fault as fault:
            raise PluginLoadError(f"{origin.label} failed in {step}: {fault} {TRACEBACK_ADVICE}") from fault
        base_module, _, base_name = base.partition(":")
        base_class = getattr(importlib.import_module(base_module), base_name)
        if not (isinstance(imported, type) and issubclass(imported, base_class)):
            public_name = f"anyanomaly.api.{base_name}"
            raise PluginLoadError(f"{origin.label} cannot be used: {target} is not a subclass of {public_name}.")
        return imported


def _module_name(plugin: Plugin) -> str:
    return str(getattr(plugin.module, "__name__", plugin.name))


def _describe_conflict(role: str, name: str, plugins: Sequence[Plugin]) -> str:
    """Return the message for a name that several plugins offer."""
    plugin_names = " and ".join(f"'{plugin.name}'" for plugin in plugins)
    installed = [plugin.name for plugin in plugins if plugin.distribution]
    if installed:
        advice = f"Disable one, for example: export ANYANOMALY_DISABLE_PLUGINS={installed[0]}"
    else:
        advice = "Rename the component in one of them."
    return f"Plugins {plugin_names} both offer the {role} '{name}'. {advice}"
