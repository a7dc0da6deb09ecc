"""``anyanomaly doctor``: what is installed, what is missing, and what to do next."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import print_json, print_table
from anyanomaly.config.load import find_file, merge, read_file, with_preset
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import AnyAnomalyError, MissingRequirement
from anyanomaly.registry.auto import choose_backend
from anyanomaly.specs import BackendSpec, ComponentSpec

LIBRARIES = ("numpy", "opencv-python-headless", "torch", "torchvision", "transformers", "open_clip_torch", "pillow")
VARIABLES = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "CUDA_VISIBLE_DEVICES")
OURS = ("ANYANOMALY_CONFIG", "ANYANOMALY_CACHE_DIR", "ANYANOMALY_DISABLE_PLUGINS")

DEVICES = """
import json, torch
found = [{"name": "cpu", "what": f"{torch.get_num_threads()} threads"}]
for number in range(torch.cuda.device_count()):
    card = torch.cuda.get_device_properties(number)
    found.append({"name": f"cuda:{number}", "what": f"{card.name}, {card.total_memory / 2**30:.1f} GiB"})
if torch.backends.mps.is_available():
    found.append({"name": "mps", "what": "Apple GPU"})
print(json.dumps(found))
"""
"""In a process of its own: this one stays free of torch, and outlives a driver that crashes."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""

    def doctor(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
        found = examine(call)
        if as_json:
            print_json(found)
        else:
            _print(found)

    app.command("doctor", help="Say what is installed, what is missing, and what to do next.")(doctor)


def examine(call: Call) -> dict[str, Any]:
    """Return what there is to know of this installation, ready for JSON."""
    config, path, settings = _config(call)
    devices, trouble = _devices()
    problems = [problem.message for problem in call.registry.problems] + [each for each in (settings, trouble) if each]
    components = {
        role: [_readiness(call, spec) for spec in call.registry.specs(role)] for role in ("encoder", "backend")
    }
    auto = _auto(call, config)
    return {
        "versions": {"python": platform.python_version(), "platform": platform.platform(), **call.registry.versions()},
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "devices": devices,
        "caches": [_size(path) for path in _caches()],
        "variables": {name: os.environ[name] for name in (*OURS, *VARIABLES) if name in os.environ},
        "config": {
            "file": str(path) if path else None,
            "encoder": config.encoder.name,
            "backend": config.backend.name,
        },
        "auto": auto,
        "components": components,
        "problems": problems,
        "next": _next(config, auto, components, settings),
    }


def _config(call: Call) -> tuple[RunConfig, Path | None, str]:
    """Return the settings of a run without flags, their file, and what is wrong with it."""
    path = None
    try:
        path = find_file(call.config_file)
        return merge(with_preset([read_file(path)] if path else [])).config, path, ""
    except AnyAnomalyError as error:
        return merge(with_preset([])).config, path, str(error)


def _devices() -> tuple[list[dict[str, str]], str]:
    """Return the devices that torch sees, and what went wrong when it was asked."""
    if not _version("torch"):
        return [{"name": "cpu", "what": "torch is not installed"}], ""
    try:
        told = subprocess.run(
            [sys.executable, "-c", DEVICES], capture_output=True, text=True, timeout=120, check=True
        ).stdout
        found: list[dict[str, str]] = json.loads(told)
        return found, ""
    except (OSError, subprocess.SubprocessError, json.JSONDecodeError) as error:
        last = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        return [], f"torch is installed and cannot be used: {last}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _caches() -> list[Path]:
    from anyanomaly.assemble import store_path
    from anyanomaly.assemble.weights import hub_cache

    return [store_path(), hub_cache()]


def _size(path: Path) -> dict[str, Any]:
    """Return a file's or a folder's size in MiB; links count nothing, what is gone meanwhile neither."""
    n_bytes = path.lstat().st_size if path.is_file() else 0
    for folder, _, names in os.walk(path):
        for name in names:
            file = Path(folder, name)
            if not file.is_symlink() and file.exists():
                n_bytes += file.lstat().st_size
    return {"path": str(path), "exists": path.exists(), "mib": round(n_bytes / 2**20, 1)}


def _readiness(call: Call, spec: ComponentSpec) -> dict[str, Any]:
    missing = call.registry.missing(spec)
    words = not isinstance(spec, BackendSpec) or spec.words
    return {
        "name": spec.name,
        "installed": not missing,
        "missing": missing,
        "install": call.registry.install_command(spec),
        "words": words,
    }


def _auto(call: Call, config: RunConfig) -> dict[str, str]:
    """Return what the backend ``auto`` is on this machine, and why; no name when there is none."""
    try:
        choice = choose_backend(call.registry, config.run.device)
        return {"backend": choice.name, "why": choice.why}
    except MissingRequirement as error:
        return {"backend": "", "why": str(error)}


def _next(config: RunConfig, auto: dict[str, str], components: dict[str, list[dict[str, Any]]], settings: str) -> str:
    """Return the one thing to do now."""
    if settings:
        return f"Mend the settings: {settings}"
    backend = auto["backend"] if config.backend.name == "auto" else config.backend.name
    if not backend:
        return auto["why"]
    wanted = (("encoder", config.encoder.name, "anyanomaly-openclip"), ("backend", backend, "anyanomaly-transformers"))
    for role, name, distribution in wanted:
        found = next((each for each in components[role] if each["name"] == name), None)
        if found is None:
            return f"The {role} '{name}' is not there. Run: pip install {distribution}"
        if not found["installed"]:
            return f"The {role} '{name}' needs {' and '.join(found['missing'])}. Run: {found['install']}"
    return (
        f"Try: anyanomaly run VIDEO -t bicycle (encoder {config.encoder.name}, backend {backend}; "
        f"models that are not on this machine yet are downloaded then)"
    )


def _state(component: dict[str, Any]) -> str:
    if component["installed"]:
        return "installed"
    install = f"; run: {component['install']}" if component["install"] else ""
    return f"needs {', '.join(component['missing'])}{install}"


def _print(found: dict[str, Any]) -> None:
    blocks = {
        "Versions": list({**found["versions"], **found["libraries"]}.items()),
        "Devices": [(each["name"], each["what"]) for each in found["devices"]],
        "Caches": [(each["path"], f"{each['mib']} MiB" if each["exists"] else "empty") for each in found["caches"]],
        "Settings": [("config file", found["config"]["file"] or "none"), *found["variables"].items()],
    }
    blocks["Backend auto"] = [(found["auto"]["backend"] or "none", found["auto"]["why"])]
    for role, components in found["components"].items():
        blocks[f"{role.capitalize()}s"] = [(each["name"], _state(each)) for each in components]
    blocks["Problems"] = [("-", problem) for problem in found["problems"]]
    for title, rows in blocks.items():
        if rows:
            print(title)
            print_table(rows, "  ")
    print(f"Next\n  {found['next']}")
