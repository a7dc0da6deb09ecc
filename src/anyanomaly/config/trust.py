"""Whether a config file that lies in the current folder counts.

Such a file may be a stranger's: of a cloned repository, a downloaded archive, a shared folder. Its settings count as
long as they are harmless; any other setting counts once the user has accepted the file's exact content. Harmless are
the settings listed here and no others, so that a new setting, or an option of a plugin, has to be accepted.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from anyanomaly.config.load import setting_values
from anyanomaly.errors import OutputError
from anyanomaly.registry import Registry
from anyanomaly.specs import DEVICE_PATTERN, SINGLE_ROLES

_SETTINGS = {
    "run": {
        *("gate_rule", "gate_above", "budget", "clear_below", "clear_above", "frames_per_second"),
        *(
            "segment_frames",
            "segment_seconds",
            "every",
            "start",
            "stop",
            "keep_tail",
            "scoring",
            "scale",
            "reason_above",
        ),
        *("max_tokens", "temperature", "top_p", "repetition_penalty", "threshold", "smooth_seconds", "smooth_frames"),
        *("merge_seconds", "min_event_seconds", "device", "seed", "store", "lookahead_mib", "max_unreadable"),
    },
    "prompt": {"output_word", "system", "text_first"},
}
"""Settings that are harmless with any value."""

_NUMBERS = {
    "reader": {"max_side", "fps", "stream", "threads"},
    "encoder": {"batch_size", "normalize_windows", "dense_tiles"},
    "gate": {
        *("smallest", "contrast", "noise_factor", "absorb_seconds", "frames", "width"),
        *("windows", "background_seconds", "max_tokens"),
    },
    "selector": {"windows", "seed", "stride"},
    "context": {
        *("weight", "large", "middle", "small", "stride", "windows", "count"),
        *("softmax", "min_brightness", "templates", "contrast_run_texts"),
    },
    "backend": {
        *("batch_size", "min_pixels", "max_pixels", "gpu_layers", "threads", "context_size", "chunk_tokens"),
        *("tensor_parallel", "memory_share", "kv_cache_gib", "max_model_len", "eager", "max_frames", "noise_seed"),
    },
}
"""Options of components that are harmless as a number, a switch, or a list of numbers, whatever component has them."""

_WORDS = {
    "device": DEVICE_PATTERN,
    "dtype": "auto|bfloat16|float16|float32",
    "thinking": "off|on",
    "encoding": "exact|dense",
}
"""Options of components that are harmless as one of these words."""

_SWITCHES = {("run", "allow_network"), ("backend", "trust_remote_code")}
"""Settings that are harmless when they are off."""

TrustState = Literal["trusted", "changed", "unknown"]


def guarded_settings(tables: Mapping[str, Any], registry: Registry) -> list[str]:
    """Return the dotted names of the settings that are not harmless, in order.

    :param tables: as in a config file, validated. :param registry: says which components send images to a server.
    """
    settings = setting_values(tables)
    return [".".join(path) for path, value in settings if not _is_harmless(path, value, registry)]


def trust_state(path: Path, content: bytes) -> TrustState:
    """Return whether the user has accepted a file with this content, or with another one ("changed")."""
    try:
        accepted = _record(path).read_text(encoding="utf-8").partition("\n")[0]
    except FileNotFoundError:
        return "unknown"
    except (OSError, UnicodeDecodeError):
        return "changed"
    return "trusted" if accepted == hashlib.sha256(content).hexdigest() else "changed"


def trust(path: Path, content: bytes) -> None:
    """Accept a file with this content, and no other content that it had before.

    :raises OutputError: when this cannot be recorded.
    """
    record = _record(path)
    try:
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{hashlib.sha256(content).hexdigest()}\n{_location(path)}\n")
    except OSError as error:
        raise OutputError(f"{record} cannot be written: {error.strerror}.") from error


def withdraw_trust(path: Path) -> bool:
    """Accept a file no longer, and return whether it was accepted.

    :raises OutputError: when this cannot be recorded.
    """
    record = _record(path)
    try:
        record.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise OutputError(f"{record} cannot be removed: {error.strerror}.") from error
    return True


def _record(path: Path) -> Path:
    """Return the file that holds the accepted content's digest; its name depends on where the config file lies.

    Elsewhere the same content may mean something else: its paths are relative to the current folder.
    """
    from platformdirs import user_state_path

    name = hashlib.sha256(os.fsencode(_location(path))).hexdigest()
    return user_state_path("anyanomaly") / "trusted" / name


def _location(path: Path) -> str:
    """Return the absolute path of a file, links in its folder resolved: the file itself may be a link to another's."""
    return os.path.join(os.path.realpath(path.parent), path.name)


def _is_harmless(path: tuple[str, ...], value: Any, registry: Registry) -> bool:
    match path:
        case ("preset",) | ("texts",) | ("contexts",) | ("gates",):  # names of what is installed, and words to find
            return True
        case ("videos",):
            return all(_is_in_folder(video) for video in value)
        case ("sink",):
            return not value
        case ("prompt", "name" | "reason") | ("prompt", "per_backend", _):
            return _is_template_name(value)
        case (role, "name") if role in SINGLE_ROLES:
            return not any(spec.name == value and getattr(spec, "network", False) for spec in registry.specs(role))
        case ("context", "position", "contrast"):
            return True
        case (table, name) | (("context" | "gate") as table, _, name):
            return (
                name in _SETTINGS.get(table, ())
                or (name in _NUMBERS.get(table, ()) and _is_numbers(value))
                or (table in (*SINGLE_ROLES, "context") and isinstance(value, str) and _is_word(name, value))
                or (path in _SWITCHES and value is False)
            )
    return False


def _is_in_folder(video: str) -> bool:
    """Return whether a video is a file below the current folder, as far as its name says: no URL, no other path."""
    path = PurePosixPath(video)
    return not (path.is_absolute() or ".." in path.parts or ":" in video or "\\" in video or video.startswith("~"))


def _is_template_name(name: str) -> bool:
    """Return whether a prompt is a template of this package: names of files have a dot."""
    return re.fullmatch(r"[a-z0-9-]+", name) is not None


def _is_numbers(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, list) and all(map(_is_numbers, value)))


def _is_word(option: str, value: str) -> bool:
    return option in _WORDS and re.fullmatch(_WORDS[option], value) is not None
