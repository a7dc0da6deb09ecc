"""The flags that describe a run, and the settings they make together with file and preset."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from anyanomaly.cli.call import Call, named
from anyanomaly.cli.flags import Flag, field_flags
from anyanomaly.config.load import Layer, Settings, find_file, load_settings, preset_names, read_file
from anyanomaly.config.model import PromptChoice, RunConfig, RunOptions
from anyanomaly.errors import AnyAnomalyError, InvalidOption, MissingRequirement, UsageError
from anyanomaly.specs import SINGLE_ROLES

Given: TypeAlias = Mapping[tuple[str, ...], Any]
"""Values given as flags, by path in the tables of a config file."""


def run_flags(call: Call, *, with_outputs: bool = True) -> list[Flag]:
    """Return the flags of a run: what to find, the components, the options of those chosen, the run itself.

    Which components are chosen is decided as for the run, from flags, file and preset; the values that hold without
    further flags are the defaults shown.

    :param with_outputs: whether the command writes result files.
    :raises UsageError: when a component named on the command line does not exist.
    """
    base = _base_config(call)
    prompt = base.prompt.model_dump()
    outputs = [
        Flag(("output",), ("-o", "--output"), "write results: .jsonl, .csv or .json (repeatable)", "list", "FILE"),
        _name_flag(call, "sink", "", ("sink",)),
    ]
    return [
        Flag(("texts",), ("-t", "--text"), "what to find, in plain words (repeatable)", "list", "TEXT"),
        *(outputs[:1] if with_outputs else []),
        Flag(("preset",), ("--preset",), f"settings to start from [default: {base.preset}]", words=_presets),
        *(_name_flag(call, role, getattr(base, role).name) for role in SINGLE_ROLES),
        _name_flag(call, "context", ", ".join(base.contexts), ("contexts",)),
        *(outputs[1:] if with_outputs else []),
        Flag(("prompt", "name"), ("--prompt",), f"question to ask [default: {base.prompt.name}]", metavar="NAME|FILE"),
        *field_flags(RunOptions, ("run",), base.run.model_dump(), leave=["store"]),
        _cache_flag(base),
        *field_flags(PromptChoice, ("prompt",), prompt, "prompt.", leave=["name"]),
        *_component_flags(call, base, with_outputs),
    ]


def _base_config(call: Call) -> RunConfig:
    """Return the configuration as far as the choice of components depends on it, read off the unparsed command line.

    A value that does not fit is left to the parser, which names its flag.
    """
    names: dict[tuple[str, ...], str] = {("preset",): "--preset", ("run", "device"): "--device"}
    names |= {(role, "name"): f"--{role}" for role in SINGLE_ROLES}
    names |= {(role, "device"): f"--{role}.device" for role in SINGLE_ROLES}
    given: dict[tuple[str, ...], Any] = {
        path: values[-1] for path, flag in names.items() if (values := named(call.words, flag))
    }
    if contexts := named(call.words, "--context"):
        given["contexts",] = list(dict.fromkeys(contexts))
    try:
        return resolved(call, given).config
    except UsageError:
        given.pop(("run", "device"), None)
    try:
        return resolved(call, given).config
    except UsageError:
        if not call.unfinished:
            raise
        return resolved(call, {}).config


def resolved(call: Call, given: Given) -> Settings:
    """Return the settings of a run: defaults, preset, config file, flags.

    :raises UsageError: for a broken file, a setting that does not exist or a value that does not fit.
    """
    path = find_file(call.config_file)
    layers = [read_file(path)] if path else []
    return load_settings([*layers, Layer("flag", config_tables(given))])


def config_tables(given: Given) -> dict[str, Any]:
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


def _component_flags(call: Call, base: RunConfig, with_outputs: bool) -> Iterator[Flag]:
    """Yield the options of the components of a run, with the values that hold."""
    from anyanomaly.assemble.resolve import choose_backend_name

    for role in SINGLE_ROLES:
        table = getattr(base, role)
        if table.name != "auto":
            yield from _options(call, base, role, table.name, (role,), table.options)
        elif role == "reader":
            yield from _any_reader(call, table.options)
        elif role == "backend":
            with contextlib.suppress(MissingRequirement):  # the run says so
                name, _ = choose_backend_name(base, call.registry)
                yield from _options(call, base, role, name, (role,), table.options)
    for name in base.contexts:
        yield from _options(call, base, "context", name, ("context", name), base.context.get(name, {}))
    for name in dict.fromkeys(named(call.words, "--sink") if with_outputs else ()):
        yield from _options(call, base, "sink", name, ("sink", name), {})


def _options(
    call: Call, base: RunConfig, role: str, name: str, path: tuple[str, ...], options: Mapping[str, Any]
) -> Iterator[Flag]:
    """Yield the flags of a component's options.

    One that cannot be found and was not named on the command line has none: the run reports it if it is needed.
    """
    from anyanomaly.assemble.resolve import resolve_component

    try:
        component = resolve_component(base, call.registry, role, name, options, installed=False)
        model, values = type(component.options), component.options.model_dump()
    except InvalidOption:  # the other flags of the command line may correct it
        model, values = call.registry.options_model(call.registry.find(role, name)), dict(options)
    except AnyAnomalyError:
        if name in named(call.words, f"--{role}") and not call.unfinished:
            raise
        return
    yield from field_flags(model, path, values, f"{'.'.join(path)}.")


def _any_reader(call: Call, options: Mapping[str, Any]) -> Iterator[Flag]:
    """Yield the options of all readers, each once: the address of a video decides which of them reads it."""
    paths: set[tuple[str, ...]] = set()
    for spec in call.registry.specs("reader"):
        with contextlib.suppress(AnyAnomalyError):
            for flag in field_flags(call.registry.options_model(spec), ("reader",), options, "reader."):
                if flag.path not in paths:
                    paths.add(flag.path)
                    yield flag
