"""``anyanomaly doctor``: print what is installed, what is missing, and what to do next."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly.cli.call import Call
from anyanomaly.cli.notices import announce_file
from anyanomaly.cli.output import print_json, print_line, print_table
from anyanomaly.cli.sizes import measure_size
from anyanomaly.config.files import ConfigFile, find_file, read_file
from anyanomaly.config.load import load_settings
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import AnyAnomalyError, MissingRequirement
from anyanomaly.isolation import child_environment, python_command
from anyanomaly.specs import BackendSpec, ComponentSpec

if TYPE_CHECKING:
    from anyanomaly.assemble.resolved_component import ResolvedComponent

LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "av",
    "pillow",
    "torch",
    "torchvision",
    "transformers",
    "open_clip_torch",
)
VARIABLES = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "CUDA_VISIBLE_DEVICES")
OWN_VARIABLES = (
    "ANYANOMALY_CONFIG",
    "ANYANOMALY_CACHE_DIR",
    "ANYANOMALY_CACHE_MAX_SIZE",
    "ANYANOMALY_CACHE_MAX_AGE",
    "ANYANOMALY_DISABLE_PLUGINS",
)

DEVICES = """
import json, torch
devices = [{"name": "cpu", "what": f"{torch.get_num_threads()} threads"}]
for number in range(torch.cuda.device_count()):
    card = torch.cuda.get_device_properties(number)
    devices.append({"name": f"cuda:{number}", "what": f"{card.name}, {card.total_memory / 2**30:.1f} GiB"})
if torch.backends.mps.is_available():
    devices.append({"name": "mps", "what": "Apple GPU"})
print(json.dumps(devices))
"""
"""Runs in a separate process, so that this one does not import torch and survives a driver that crashes."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""

    def doctor(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
        report = examine(call)
        if as_json:
            print_json(report)
        else:
            _print(report)

    app.command("doctor", help="Print what is installed, what is missing, and what to do next.")(doctor)


def examine(call: Call) -> dict[str, Any]:
    """Return a report on this installation, JSON-ready.

    :raises PluginLoadError: when a plugin of the command line fails.
    """
    from anyanomaly.assemble.resolve import resolve_components
    from anyanomaly.assemble.resolve_gates import resolve_gate_backends, resolve_gates

    registry = call.registry
    config, file, config_problem = _read_config(call)
    devices, device_problem = _list_devices()
    problems = [problem.message for problem in registry.problems]
    problems += [problem for problem in (config_problem, device_problem) if problem]
    try:
        gates = resolve_gates(config, registry, installed=False)
        gate_backends = resolve_gate_backends(config, registry, gates, installed=False).values()
        used = (*resolve_components(config, registry), *gate_backends)
        components = [_describe_component(component) for component in used]
    except AnyAnomalyError as error:
        components = []
        problems.append(str(error))
    return {
        "versions": {"python": platform.python_version(), "platform": platform.platform(), **registry.versions()},
        "libraries": {name: number for name in LIBRARIES if (number := _version(name))},
        "devices": devices,
        "caches": [_describe_cache(path) for path in _list_caches()],
        "variables": {name: os.environ[name] for name in (*OWN_VARIABLES, *VARIABLES) if name in os.environ},
        "config": {
            "file": str(file.path) if file else None,
            "encoder": config.encoder.name,
            "backend": config.backend.name,
        },
        "run": components,
        "auto": _describe_auto(call, config),
        "components": {
            role: [_describe_readiness(call, spec) for spec in registry.specs(role)] for role in ("encoder", "backend")
        },
        "problems": problems,
        "next": _next_step(call, config, config_problem),
    }


def _read_config(call: Call) -> tuple[RunConfig, ConfigFile | None, str]:
    """Return the configuration of a run without flags, its file, and the error in it; empty when there is none."""
    file = None
    try:
        file = find_file(call.config_file)
        config = load_settings([read_file(file, call.registry)] if file else []).config
    except AnyAnomalyError as error:
        return load_settings([]).config, file, str(error)
    announce_file(file, call)
    return config, file, ""


def _list_devices() -> tuple[list[dict[str, str]], str]:
    """Return the devices that torch finds, and the error when torch fails; empty when it does not."""
    if not _version("torch"):
        return [{"name": "cpu", "what": "torch is not installed"}], ""
    try:
        output = subprocess.run(
            python_command("-c", DEVICES),
            env=child_environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        devices: list[dict[str, str]] = json.loads(output)
        return devices, ""
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        last_line = (getattr(error, "stderr", "") or str(error)).strip().rpartition("\n")[2]
        return [], f"torch is installed but cannot be used: {last_line}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _list_caches() -> list[Path]:
    from anyanomaly.assemble import store_path
    from anyanomaly.assemble.downloads import hub_cache

    return [store_path(), hub_cache()]


def _describe_cache(path: Path) -> dict[str, Any]:
    return {"path": str(path), "exists": path.exists(), "mib": round(measure_size(path) / 2**20, 1)}


def _describe_component(component: ResolvedComponent) -> dict[str, Any]:
    """Describe a component of a run without flags, with the repositories whose weights it would download."""
    from anyanomaly.assemble.downloads import is_present

    downloads = [download.repository for download in component.options.downloads() if not is_present(download)]
    return {"role": component.spec.role, **component.settings, "reason": component.reason, "downloads": downloads}


def _describe_readiness(call: Call, spec: ComponentSpec) -> dict[str, Any]:
    missing = call.registry.missing_requirements(spec)
    words = not isinstance(spec, BackendSpec) or spec.words
    return {
        "name": spec.name,
        "installed": not missing,
        "missing": missing,
        "install": call.registry.install_command(spec),
        "words": words,
    }


def _describe_auto(call: Call, config: RunConfig) -> dict[str, str]:
    """Return the backend that ``auto`` stands for and the reason; without a backend, an empty name and the error."""
    from anyanomaly.assemble.resolve import choose_backend_name

    table = config.backend if config.backend.name == "auto" else config.backend.model_copy(update={"name": "auto"})
    try:
        name, reason = choose_backend_name(config.model_copy(update={"backend": table}), call.registry)
        return {"backend": name, "why": reason}
    except MissingRequirement as error:
        return {"backend": "", "why": str(error)}


def _next_step(call: Call, config: RunConfig, config_problem: str) -> str:
    """Return the next thing to do, as a sentence."""
    from anyanomaly.assemble.capabilities import resolve_and_check

    if config_problem:
        return f"Fix the configuration: {config_problem}"
    try:
        run = resolve_and_check(config, call.registry)
    except AnyAnomalyError as error:
        return str(error)
    models = [component for component in (run.encoder, run.backend) if component]
    names = ", ".join(f"{component.spec.role} {component.name}" for component in models)
    return f"Try: anyanomaly run VIDEO -t bicycle ({names}; missing weights are downloaded first)"


def _state(component: dict[str, Any]) -> str:
    if component["installed"]:
        return "installed"
    install = f"; run: {component['install']}" if component["install"] else ""
    return f"needs {', '.join(component['missing'])}{install}"


def _print(report: dict[str, Any]) -> None:
    blocks = {
        "Versions": list({**report["versions"], **report["libraries"]}.items()),
        "Devices": [(device["name"], device["what"]) for device in report["devices"]],
        "Caches": [(cache["path"], _size_text(cache)) for cache in report["caches"]],
        "Settings": [("config file", report["config"]["file"] or "none"), *report["variables"].items()],
        "A run uses": [(component["role"], _summarise(component)) for component in report["run"]],
    }
    blocks["Backend auto"] = [(report["auto"]["backend"] or "none", report["auto"]["why"])]
    for role, components in report["components"].items():
        blocks[f"{role.capitalize()}s"] = [(component["name"], _state(component)) for component in components]
    blocks["Problems"] = [("-", problem) for problem in report["problems"]]
    for title, rows in blocks.items():
        if rows:
            print_line(title)
            print_table(rows, "  ")
    print_line("Next")
    print_line(f"  {report['next']}")


def _size_text(cache: dict[str, Any]) -> str:
    return f"{cache['mib']} MiB" if cache["exists"] else "empty"


def _summarise(component: dict[str, Any]) -> str:
    device = f" on {component['device']}" if "device" in component else ""
    downloads = f"; downloads {', '.join(component['downloads'])}" if component["downloads"] else ""
    return f"{component['name']}{device}{downloads}"
