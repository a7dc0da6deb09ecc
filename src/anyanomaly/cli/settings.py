"""The flags that describe a run, and the settings they make together with file and preset."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from anyanomaly.cli.call import Call, named
from anyanomaly.cli.flags import Flag, field_flags
from anyanomaly.config.load import Layer, Resolved, find_file, merge, preset_names, read_file, with_preset
from anyanomaly.config.model import PromptChoice, RunConfig, RunOptions
from anyanomaly.errors import AnyAnomalyError, MissingRequirement
from anyanomaly.registry.auto import choose_backend
from anyanomaly.specs import SINGLE_ROLES

Given: TypeAlias = Mapping[tuple[str, ...], Any]
"""Values given as flags, by path in the tables of a config file."""


def run_flags(call: Call) -> list[Flag]:
    """Return the flags of a run: what to find, the components, the options of those chosen, the run itself.

    Which components are chosen, flags, file and preset say; their values so far are the defaults shown.

    :raises UsageError: when a component named on the command line does not exist.
    """
    preset = named(call.words, "--preset")
    if call.unfinished and set(preset) - set(preset_names()):
        preset = []
    base = resolved(call, {("preset",): preset[-1]} if preset else {}).config
    prompt = base.prompt.model_dump()
    return [
        Flag(("texts",), ("-t", "--text"), "what to find, in plain words (repeatable)", "list", "TEXT"),
        Flag(("output",), ("-o", "--output"), "write results: .jsonl, .csv or .json (repeatable)", "list", "FILE"),
        Flag(("preset",), ("--preset",), f"settings to start from [default: {base.preset}]", words=_presets),
        *(_name_flag(call, role, getattr(base, role).name) for role in SINGLE_ROLES),
        _name_flag(call, "context", ", ".join(base.contexts), ("contexts",)),
        _name_flag(call, "sink", "", ("sink",)),
        Flag(("prompt", "name"), ("--prompt",), f"question to ask [default: {base.prompt.name}]", metavar="NAME|FILE"),
        *field_flags(RunOptions, ("run",), base.run.model_dump(), leave=["store"]),
        _cache_flag(base),
        *field_flags(PromptChoice, ("prompt",), prompt, "prompt.", leave=["name"]),
        *_component_flags(call, base),
    ]


def resolved(call: Call, given: Given) -> Resolved:
    """Return the settings of a run: defaults, preset, config file, flags.

    :raises UsageError: for a broken file, a setting that does not exist or a value that does not fit.
    """
    path = find_file(call.config_file)
    layers = [read_file(path)] if path else []
    return merge(with_preset([*layers, Layer("flag", _tables(given))]))


def _tables(given: Given) -> dict[str, Any]:
    """Return the values given as the tables of a config file."""
    tables: dict[str, Any] = {}
    sinks: dict[str, dict[str, Any]] = {name: {"name": name} for name in given.get(("sink",), [])}
    for path, value in given.items():
        if path[0] == "sink":
            if len(path) == 3:
                sinks[path[1]][path[2]] = value
        elif path != ("output",):
            table = tables
            for key in path[:-1]:
                table = table.setdefault(key, {})
            table[path[-1]] = value
    outputs = [{"path": output} for output in given.get(("output",), [])]
    if outputs or sinks:
        tables["sink"] = [*outputs, *sinks.values()]
    return tables


def _name_flag(call: Call, role: str, default: str, path: tuple[str, ...] = ()) -> Flag:
    """Return the flag that chooses a role's component, or components."""
    shown = f" [default: {default}]" if default else ""
    help_text = f"{role} to use{' (repeatable)' if path else ''}{shown}"

    def words() -> Sequence[tuple[str, str]]:
        offered = [(spec.name, spec.summary) for spec in call.registry.specs(role)]
        return [("auto", "What this machine runs best"), *offered] if role == "backend" else offered

    return Flag(path or (role, "name"), (f"--{role}",), help_text, "list" if path else "value", words=words)


def _cache_flag(base: RunConfig) -> Flag:
    help_text = f"{RunOptions.model_fields['store'].description} [default: {'on' if base.run.store else 'off'}]"
    return Flag(("run", "store"), ("--cache/--no-cache",), help_text, "switch", None)


def _presets() -> Sequence[tuple[str, str]]:
    return [(name, "") for name in preset_names()]


def _component_flags(call: Call, base: RunConfig) -> Iterator[Flag]:
    for role in SINGLE_ROLES:
        choice = getattr(base, role)
        name = (named(call.words, f"--{role}") or [choice.name])[-1]
        options = choice.options if choice.name in (name, "auto") else {}
        if name == "auto" and role == "backend":
            with contextlib.suppress(MissingRequirement):  # the run says so
                name = choose_backend(call.registry, (named(call.words, "--device") or [base.run.device])[-1]).name
                yield from _options(call, role, name, (role,), options)
        elif name == "auto":
            yield from _any_reader(call, options)
        else:
            yield from _options(call, role, name, (role,), options)
    for name in dict.fromkeys(named(call.words, "--context") or base.contexts):
        yield from _options(call, "context", name, ("context", name), base.context.get(name, {}))
    for name in dict.fromkeys(named(call.words, "--sink")):
        yield from _options(call, "sink", name, ("sink", name), {})


def _options(call: Call, role: str, name: str, path: tuple[str, ...], current: Mapping[str, Any]) -> Iterator[Flag]:
    """Yield the flags of a component's options.

    One that is not there and was not asked for by name has none: the run may not need it, and says so if it does.
    """
    try:
        model = call.registry.options_model(call.registry.find(role, name))
    except AnyAnomalyError:
        if name in named(call.words, f"--{role}") and not call.unfinished:
            raise
        return
    yield from field_flags(model, path, current, f"{'.'.join(path)}.")


def _any_reader(call: Call, current: Mapping[str, Any]) -> Iterator[Flag]:
    """Yield the options of all readers, each once: which of them reads a video, its address decides."""
    seen: set[tuple[str, ...]] = set()
    for spec in call.registry.specs("reader"):
        with contextlib.suppress(AnyAnomalyError):
            for flag in field_flags(call.registry.options_model(spec), ("reader",), current, "reader."):
                if flag.path not in seen:
                    seen.add(flag.path)
                    yield flag
