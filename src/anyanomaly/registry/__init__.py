"""What is installed, by role and name; names to components. Imports no component before it is used."""

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
from anyanomaly.registry.known import KNOWN
from anyanomaly.registry.loading import Plugin, Problem, call_alone, load_plugins
from anyanomaly.specs import ROLES, ComponentSpec, ReaderSpec, SinkSpec

if TYPE_CHECKING:
    from anyanomaly.api.component import Component
    from anyanomaly.api.options import Options

__all__ = ["Problem", "Registry", "load", "missing_requirement"]


def load(plugins: Sequence[str] = ()) -> Registry:
    """Load the built-ins, the installed plugins, and ``plugins`` (files or modules).

    :raises PluginLoadError: when one of ``plugins`` cannot be used; installed ones become ``problems``.
    """
    return Registry(plugins)


class Registry:
    """All components that plugins offer."""

    def __init__(self, extra: Sequence[str] = ()) -> None:
        self._manager, self._plugins, self.problems = load_plugins(extra)

    def specs(self, role: str) -> list[ComponentSpec]:
        """Return what is offered for a role, sorted by name; names in conflict come twice."""
        offered = [spec for plugin in self._plugins for spec in plugin.specs if spec.role == role]
        return sorted(offered, key=lambda spec: spec.name)

    def provider(self, spec: ComponentSpec) -> str:
        """Return who offers a component: its distribution and version, or the plugin's name."""
        plugin = self._plugin(spec)
        return plugin.distribution or plugin.name

    def find(self, role: str, name: str) -> ComponentSpec:
        """Return the spec of a component.

        :raises UnknownComponent: with the nearest names. :raises PluginConflict: when two plugins offer it.
        :raises MissingRequirement: when it is a first-party component that is not installed.
        """
        found = [spec for spec in self.specs(role) if spec.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            names = " and ".join(f"'{self._plugin(spec).name}'" for spec in found)
            raise PluginConflict(
                f"Plugins {names} both offer the {role} '{name}'. Disable one: "
                f"ANYANOMALY_DISABLE_PLUGINS={self._plugin(found[0]).name}"
            )
        if package := KNOWN.get((role, name)):
            raise MissingRequirement(f"{role.capitalize()} '{name}' is not installed. Run: {install_command(package)}")
        known = sorted({spec.name for spec in self.specs(role)})
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UnknownComponent(f"Unknown {role} '{name}'.{hint} Installed: {', '.join(known) or 'none'}.")

    def missing(self, spec: ComponentSpec) -> list[str]:
        """Return what a component requires and is not there, one phrase each."""
        return [lack for text in spec.requires if (lack := missing_requirement(text))]

    def check(self, spec: ComponentSpec) -> None:
        """:raises MissingRequirement: when something a component requires is not installed."""
        if lacking := self.missing(spec):
            install = self.install_command(spec)
            raise MissingRequirement(
                f"{spec.role.capitalize()} '{spec.name}' needs {' and '.join(lacking)}. Run: {install}"
            )

    def install_command(self, spec: ComponentSpec) -> str:
        """Return the command that installs what a component requires; empty when nothing is missing."""
        missing = [text.partition(" | ")[0] for text in spec.requires if missing_requirement(text)]
        named = shlex.split(spec.install.removeprefix("pip install "))
        return install_command(*(named or missing)) if missing else ""

    def options_model(self, spec: ComponentSpec) -> type[Options]:
        """Import and return a component's options model.

        :raises PluginLoadError: when it cannot be imported.
        """
        model: type[Options] = self._import(spec, spec.options or "anyanomaly.api.options:Options")
        return model

    def check_options(self, spec: ComponentSpec, options: Mapping[str, Any]) -> Options:
        """Return a component's options with all defaults filled in.

        :raises PluginLoadError: when its options model cannot be imported.
        :raises InvalidOption: when an option is unknown or its value does not fit.
        """
        return self.options_model(spec).validate_values(options, f"{spec.role.capitalize()} '{spec.name}'")

    def create(self, spec: ComponentSpec, options: Options | Mapping[str, Any]) -> Component[Options]:
        """Import a component's class and construct it; nothing is loaded yet.

        :param options: checked already, or as a user gives them.
        :raises PluginLoadError: when it cannot be imported or is not of its role.
        :raises InvalidOption: when an option is unknown or its value does not fit.
        """
        checked = self.check_options(spec, options) if isinstance(options, Mapping) else options
        target = self._import(spec, spec.target)
        base = _base_class(spec.role)
        if not (isinstance(target, type) and issubclass(target, base)):
            raise PluginLoadError(
                f"{spec.role.capitalize()} '{spec.name}' of {self.provider(spec)} cannot be used: "
                f"{spec.target} is no {base.__name__}."
            )
        component: Component[Options] = target(checked)
        return component

    def reader_for(self, uri: str) -> ReaderSpec:
        """Return the reader of a URI: by scheme, then by suffix, third parties' first; else by what is there."""
        scheme, separator, _ = uri.partition("://")
        readers = [
            spec
            for plugin in reversed(self._plugins)  # built-ins were first
            for spec in plugin.specs
            if isinstance(spec, ReaderSpec)
        ]
        if separator:
            for spec in readers:
                if scheme.lower() in spec.schemes:
                    return spec
            raise UsageError(f"No reader takes {scheme}:// sources; `anyanomaly plugins reader` lists those installed.")
        path = Path(uri)
        if path.is_dir() or (any(char in uri for char in "*?[") and not path.exists()):
            return self._named(readers, "images")
        for spec in readers:
            if path.suffix.lower() in spec.suffixes and not spec.schemes:
                return spec
        return self._named(readers, "video")

    def sink_for(self, path: str) -> SinkSpec:
        """Return the sink whose suffix a path has.

        :raises UsageError: when none has it.
        """
        sinks = [spec for spec in self.specs("sink") if isinstance(spec, SinkSpec)]
        for spec in sinks:
            if Path(path).suffix.lower() in spec.suffixes:
                return spec
        known = sorted(suffix for spec in sinks for suffix in spec.suffixes)
        raise UsageError(f"The suffix of {path} tells no format; use one of {', '.join(known)}, or name a --sink.")

    def versions(self, specs: Iterable[ComponentSpec] = ()) -> dict[str, str]:
        """Return the versions of the core, of all plugins' distributions, and of what components require.

        :param specs: of the components of a run; torch and the engine are among what they require.
        """
        from anyanomaly import __version__

        plugins = dict(plugin.distribution.split(" ") for plugin in self._plugins if plugin.distribution)
        requirements = _installed_versions(text for spec in specs for text in spec.requires)
        return {"anyanomaly": __version__, **dict(sorted((requirements | plugins).items()))}

    def register_commands(self, new_app: Callable[[], Any]) -> list[Any]:
        """Let each plugin add commands to an application of its own; return those applications."""
        apps = []
        for plugin in self._plugins:
            if not hasattr(plugin.module, "anyanomaly_register_commands"):
                continue
            app = new_app()
            try:
                call_alone(self._manager, plugin, "anyanomaly_register_commands", app=app)
            except PluginLoadError as error:
                self.problems.append(Problem(plugin.name, f"{error} Its commands are left out."))
            else:
                apps.append(app)
        return apps

    def _plugin(self, spec: ComponentSpec) -> Plugin:
        return next(plugin for plugin in self._plugins if any(each is spec for each in plugin.specs))

    def _import(self, spec: ComponentSpec, where: str) -> Any:
        module, _, name = where.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except AnyAnomalyError:
            raise
        except Exception as error:
            raise PluginLoadError(
                f"{spec.role.capitalize()} '{spec.name}' of {self.provider(spec)} cannot be imported: "
                f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else where}"
            ) from error

    @staticmethod
    def _named(readers: Iterable[ReaderSpec], name: str) -> ReaderSpec:
        return next(spec for spec in readers if spec.name == name)


def _base_class(role: str) -> type[Component[Options]]:
    """Import and return the class that a role's components subclass."""
    name = next(each.base for each in ROLES if each.name == role)
    base: type[Component[Options]] = getattr(importlib.import_module("anyanomaly.api"), name)
    return base


def _version(name: str) -> str:
    """Return the version of an installed distribution; without the email parser, which reads whole READMEs.

    :raises PackageNotFoundError: when it is not installed.
    """
    found = distribution(name)
    head, _, rest = (found.read_text("METADATA") or "").partition("\nVersion:")
    return rest.partition("\n")[0].strip() if head and "\n\n" not in head else found.version


def _installed_versions(requirements: Iterable[str]) -> dict[str, str]:
    """Return the versions of the distributions that requirements name, alternatives included, where installed."""
    from packaging.requirements import Requirement

    names = {Requirement(text).name for requirement in requirements for text in requirement.split(" | ")}
    versions = {}
    for name in names:
        with suppress(PackageNotFoundError):
            versions[name] = _version(name)
    return versions


@cache  # reading metadata is most of what `anyanomaly plugins` costs, and many components require the same
def missing_requirement(text: str) -> str:
    """Return what is missing of a PEP 508 requirement, of which one alternative (" | ") is enough; empty: nothing."""
    from packaging.requirements import Requirement

    unfit = []
    for requirement in map(Requirement, text.split(" | ")):
        if requirement.marker and not requirement.marker.evaluate():
            return ""
        try:
            found = _version(requirement.name)
        except PackageNotFoundError:
            continue
        if requirement.specifier.contains(found, prereleases=True):
            return ""
        unfit.append(f"{requirement}, found {found}")
    return " and ".join(unfit) or text.replace(" | ", " or ")
