"""The registry: all components that plugins offer, by role and name.

A component's code is imported when it is used, not before. ``loading`` loads the plugins, ``auto`` chooses the backend
``auto``, ``known`` lists what can be installed.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly.errors import (
    AnyAnomalyError,
    MissingRequirement,
    PluginConflict,
    PluginLoadError,
    UnknownComponent,
    UsageError,
)
from anyanomaly.install import install_command
from anyanomaly.registry.known import FIRST_PARTY_PACKAGES
from anyanomaly.registry.loading import Plugin, Problem, call_hook, load_plugins, why_disabled
from anyanomaly.specs import ROLES, ComponentSpec, ReaderSpec, SinkSpec

if TYPE_CHECKING:
    from anyanomaly.api.component import Component
    from anyanomaly.api.options import Options

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

        :raises PluginLoadError: when it cannot be imported.
        """
        model: type[Options] = self._import(spec, spec.options or "anyanomaly.api.options:Options")
        return model

    def check_options(self, spec: ComponentSpec, options: Mapping[str, Any]) -> Options:
        """Return a component's options with all defaults filled in.

        :param options: a user's values by option name.
        :raises PluginLoadError: when its options model cannot be imported.
        :raises InvalidOption: when an option does not exist or its value is not allowed.
        """
        return self.options_model(spec).validate_values(options, f"{spec.role.capitalize()} '{spec.name}'")

    def create(self, spec: ComponentSpec, options: Options | Mapping[str, Any]) -> Component[Options]:
        """Import a component's class and construct it; its ``load`` is not called.

        :param options: validated, or a user's values by option name.
        :raises PluginLoadError: when the class cannot be imported, or is not a subclass of its role's base class.
        :raises InvalidOption: when an option does not exist or its value is not allowed.
        """
        checked = self.check_options(spec, options) if isinstance(options, Mapping) else options
        target = self._import(spec, spec.target)
        base = _base_class(spec.role)
        if not (isinstance(target, type) and issubclass(target, base)):
            raise PluginLoadError(
                f"{spec.role.capitalize()} '{spec.name}' of {self.provider(spec)} cannot be used: "
                f"{spec.target} is not a subclass of anyanomaly.api.{base.__name__}."
            )
        component: Component[Options] = target(checked)
        return component

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
        for spec in sinks:
            if Path(path).suffix.lower() in spec.suffixes:
                return spec
        suffixes = sorted(suffix for spec in sinks for suffix in spec.suffixes)
        choices = ", ".join(suffixes)
        example = next((spec.name for spec in sinks if spec.suffixes), "NAME")
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
        requirements = _installed_versions(text for spec in specs for text in spec.requires)
        return {"anyanomaly": __version__, **dict(sorted((requirements | plugins).items()))}

    def register_commands(self, new_app: Callable[[], Any]) -> list[Any]:
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
                apps.append(app)
        return apps

    def _plugin_of(self, spec: ComponentSpec) -> Plugin:
        return next(plugin for plugin in self._plugins if any(offer is spec for offer in plugin.specs))

    def _import(self, spec: ComponentSpec, target: str) -> Any:
        module, _, name = target.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except AnyAnomalyError:
            raise
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or target
            raise PluginLoadError(
                f"{spec.role.capitalize()} '{spec.name}' of {self.provider(spec)} cannot be imported: "
                f"{type(error).__name__}: {reason}"
            ) from error


def _describe_conflict(role: str, name: str, plugins: Sequence[Plugin]) -> str:
    """Return the message for a name that several plugins offer."""
    plugin_names = " and ".join(f"'{plugin.name}'" for plugin in plugins)
    installed = [plugin.name for plugin in plugins if plugin.distribution]
    if installed:
        advice = f"Disable one, for example: export ANYANOMALY_DISABLE_PLUGINS={installed[0]}"
    else:
        advice = "Rename the component in one of them."
    return f"Plugins {plugin_names} both offer the {role} '{name}'. {advice}"


def _base_class(role: str) -> type[Component[Options]]:
    """Import and return the class that a role's components subclass."""
    class_name = next(entry.base for entry in ROLES if entry.name == role)
    base: type[Component[Options]] = getattr(importlib.import_module("anyanomaly.api"), class_name)
    return base


def _version(name: str) -> str:
    """Return the version of an installed distribution.

    Reads the header of the metadata itself: the parser of ``importlib.metadata`` parses whole READMEs, which is slow.

    :raises PackageNotFoundError: when it is not installed.
    """
    package = distribution(name)
    before, _, after = (package.read_text("METADATA") or "").partition("\nVersion:")
    return after.partition("\n")[0].strip() if before and "\n\n" not in before else package.version


def _installed_versions(requirements: Iterable[str]) -> dict[str, str]:
    """Return the versions of the installed distributions among requirements, alternatives included."""
    from packaging.requirements import Requirement

    names = {Requirement(text).name for requirement in requirements for text in requirement.split(" | ")}
    versions = {}
    for name in names:
        with suppress(PackageNotFoundError):
            versions[name] = _version(name)
    return versions


@cache  # reading metadata takes most of the time of `anyanomaly plugins`, and many components require the same
def missing_requirement(text: str) -> str:
    """Return a phrase for messages when a PEP 508 requirement is not fulfilled; empty when it is.

    :param text: one requirement, or alternatives with " | " between them, of which one is enough.
    """
    from packaging.requirements import Requirement

    unsuitable = []
    for requirement in map(Requirement, text.split(" | ")):
        if requirement.marker and not requirement.marker.evaluate():
            return ""
        try:
            version = _version(requirement.name)
        except PackageNotFoundError:
            continue
        if requirement.specifier.contains(version, prereleases=True):
            return ""
        unsuitable.append(f"{requirement}, found {version}")
    return " and ".join(unsuitable) or text.replace(" | ", " or ")
