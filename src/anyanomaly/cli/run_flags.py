"""The flags of a run, and its settings: flags over config file, preset and defaults.

Most flags come from fields of pydantic models: `RunOptions`, `PromptChoice`, and the options of the run's components.
`assemble.resolve` decides before parsing which components these are, as it does for the run itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from anyanomaly.cli.call import Call, FlagValues, option_values
from anyanomaly.cli.flags import Flag, field_flags
from anyanomaly.cli.notices import announce_file
from anyanomaly.config.files import find_file, read_file
from anyanomaly.config.load import Layer, Settings, load_settings, preset_names
from anyanomaly.config.model import PromptChoice, RunConfig, RunOptions
from anyanomaly.errors import AnyAnomalyError, InvalidOption, MissingRequirement, UsageError
from anyanomaly.specs import SINGLE_ROLES


def run_flags(call: Call, *, with_outputs: bool = True, with_file: bool = True) -> list[Flag]:
    """Return the flags of a run: texts, components, options of its components, settings.

    Help texts show the values of config file and preset as defaults.

    :param with_outputs: whether the command writes result files.
    :param with_file: whether the command reads the config file.
    :raises UsageError: for an unknown component on the command line, and for a config file that cannot be used, unless
        help or completions are requested.
    """
    base = _read_base_config(call, with_file)
    prompt = base.prompt.model_dump()
    outputs = _output_flags(call)
    return [
        Flag(("texts",), ("-t", "--text"), "what to find, in plain words (repeatable)", "list", "TEXT"),
        *(outputs[:-1] if with_outputs else []),
        Flag(("preset",), ("--preset",), f"settings to start from [default: {base.preset}]", choices=_list_presets),
        *(_name_flag(call, role, getattr(base, role).name) for role in SINGLE_ROLES),
        _name_flag(call, "gate", ", ".join(base.gates), ("gates",)),
        _name_flag(call, "context", ", ".join(base.contexts), ("contexts",)),
        *(outputs[-1:] if with_outputs else []),
        Flag(
            ("prompt", "name"), ("--prompt",), f"question template [default: {base.prompt.name}]", metavar="NAME|FILE"
        ),
        *field_flags(RunOptions, ("run",), base.run.model_dump(), exclude=["store"]),
        _cache_flag(base),
        *field_flags(PromptChoice, ("prompt",), prompt, "prompt.", exclude=["name"]),
        *_component_flags(call, base, with_outputs),
    ]


def output_flags(call: Call) -> list[Flag]:
    """Return the flags of what is written: files, sinks, and the options of the sinks that the command line names."""
    return [*_output_flags(call), *_sink_option_flags(call, RunConfig())]


def weight_flags(config: Mapping[str, Any]) -> list[Flag]:
    """Return the flags of the weights of the contexts of stored results. ``config``: their settings, as tables."""
    from anyanomaly.api.context import ContextOptions

    options = config.get("context", {})
    return [
        flag
        for context in config.get("contexts", ())
        for flag in field_flags(ContextOptions, ("context", context), options.get(context, {}), f"context.{context}.")
    ]


def _output_flags(call: Call) -> list[Flag]:
    return [
        Flag(
            ("output",),
            ("-o", "--output"),
            "write .html (report), .mp4 (annotated video), .png, .svg, .pdf (timeline), .jsonl, .jsonl.gz, .csv, "
            ".json, .parquet (repeatable)",
            "list",
            "FILE",
        ),
        *_clip_flags(),
        _name_flag(call, "sink", "", ("sink",)),
    ]


def _read_base_config(call: Call, with_file: bool) -> RunConfig:
    """Return the configuration from preset, config file and those arguments that decide which components a run has.

    The other flags depend on the components. An invalid device or seed is ignored here: the parser reports its flag.

    :raises UsageError: for an unknown preset, and for a config file that cannot be used.
    """
    # settings of the run that are also options of components
    shared: dict[tuple[str, ...], str] = {("run", "device"): "--device", ("run", "seed"): "--seed"}
    names = {("preset",): "--preset", **shared}
    names |= {(role, "name"): f"--{role}" for role in SINGLE_ROLES}
    names |= {(role, "device"): f"--{role}.device" for role in SINGLE_ROLES}
    values: dict[tuple[str, ...], Any] = {}
    for path, flag in names.items():
        if occurrences := option_values(call.arguments, flag):
            values[path] = occurrences[-1]
    for role in ("gate", "context"):
        if components := option_values(call.arguments, f"--{role}"):
            values[(f"{role}s",)] = list(dict.fromkeys(components))
    layers = _read_layers(call) if with_file else []
    without_shared = {path: value for path, value in values.items() if path not in shared}
    choices = [values, without_shared, *([{}] if call.is_completion else [])]
    for choice in choices[:-1]:
        with contextlib.suppress(UsageError):
            return load_settings([*layers, Layer("flag", config_tables(choice))]).config
    return load_settings([*layers, Layer("flag", config_tables(choices[-1]))]).config


def _read_layers(call: Call) -> list[Layer]:
    """Return the layer of the config file, if there is one; a file that cannot be used does not stop ``--help``."""
    try:
        file = find_file(call.config_file)
        return [read_file(file, call.registry)] if file else []
    except UsageError:
        if call.is_completion or {"-h", "--help"} & set(call.arguments):
            return []
        raise


def read_settings(call: Call, flag_values: FlagValues) -> Settings:
    """Return the settings of a run: flags over config file, preset and defaults. A file that was found is announced.

    :raises UsageError: when the config file cannot be used, a setting does not exist or a value is not allowed.
    """
    file = find_file(call.config_file)
    layers = [read_file(file, call.registry)] if file else []
    announce_file(file, call)
    return load_settings([*layers, Layer("flag", config_tables(flag_values))])


def settings_with_preset(call: Call, flag_values: FlagValues, preset: str) -> Settings:
    """Return the settings that the same command would have with another preset. Errors as `read_settings`."""
    return load_settings([*_read_layers(call), Layer("flag", {**config_tables(flag_values), "preset": preset})])


def config_tables(flag_values: FlagValues) -> dict[str, Any]:
    """Return the values of flags as tables of a config file.

    :raises UsageError: when clips are to be exact, and there are none.
    """
    tables: dict[str, Any] = {}
    names = [*flag_values.get(("sink",), []), *(["clips"] if ("sink", "clips", "path") in flag_values else [])]
    sinks: dict[str, dict[str, Any]] = {name: {"name": name} for name in names}
    if ("sink", "clips", "exact") in flag_values and "clips" not in sinks:
        raise UsageError("--clips-exact needs the folder of the clips. Name one: --clips DIR --clips-exact")
    for path, value in flag_values.items():
        if path[0] == "sink":
            if len(path) == 3:
                sinks[path[1]][path[2]] = value
        elif path != ("output",):
            table = tables
            for key in path[:-1]:
                table = table.setdefault(key, {})
            table[path[-1]] = value
    outputs = [{"path": output} for output in flag_values.get(("output",), [])]
    if outputs or sinks:
        tables["sink"] = [*outputs, *sinks.values()]
    return tables


def _name_flag(call: Call, role: str, default: str, path: tuple[str, ...] = ()) -> Flag:
    """Return the flag that names the component of a role, or its components.

    :param path: of a list of components; empty for a role with one component.
    """
    default_note = f" [default: {default}]" if default else ""
    help_text = f"{role} to use{' (repeatable)' if path else ''}{default_note}"

    def list_names() -> Sequence[tuple[str, str]]:
        names = [(spec.name, spec.summary) for spec in call.registry.specs(role)]
        return [("auto", "What this machine runs best"), *names] if role == "backend" else names

    return Flag(path or (role, "name"), (f"--{role}",), help_text, "list" if path else "value", choices=list_names)


def _clip_flags() -> list[Flag]:
    """Return the short flags of the sink `clips`."""
    return [
        Flag(("sink", "clips", "path"), ("--clips",), "cut a clip per event into this folder", metavar="DIR"),
        Flag(
            ("sink", "clips", "exact"),
            ("--clips-exact",),
            "encode the clips again: they start at the right frame, and not at the key frame before",
            "switch",
        ),
    ]


def _cache_flag(base: RunConfig) -> Flag:
    help_text = f"{RunOptions.model_fields['store'].description} [default: {'on' if base.run.store else 'off'}]"
    return Flag(("run", "store"), ("--cache/--no-cache",), help_text, "switch", None)


def _list_presets() -> Sequence[tuple[str, str]]:
    return [(name, "") for name in preset_names()]


def _component_flags(call: Call, base: RunConfig, with_outputs: bool) -> Iterator[Flag]:
    """Yield the flags of the options of the run's components, with the values in effect as defaults."""
    from anyanomaly.assemble.resolve import choose_backend_name

    for role in SINGLE_ROLES:
        table = getattr(base, role)
        if table.name != "auto":
            yield from _option_flags(call, base, role, table.name, (role,), table.options)
        elif role == "reader":
            yield from _reader_flags(call, table.options)
        elif role == "backend":
            with contextlib.suppress(MissingRequirement):  # the run reports it
                name, _ = choose_backend_name(base, call.registry)
                yield from _option_flags(call, base, role, name, (role,), table.options)
    for role, names in (("gate", base.gates), ("context", base.contexts)):
        for name in names:
            yield from _option_flags(call, base, role, name, (role, name), getattr(base, role).get(name, {}))
    if with_outputs:
        yield from _sink_option_flags(call, base)


def _sink_option_flags(call: Call, base: RunConfig) -> Iterator[Flag]:
    clips = ["clips"] if option_values(call.arguments, "--clips") else []
    for name in dict.fromkeys([*option_values(call.arguments, "--sink"), *clips]):
        yield from _option_flags(call, base, "sink", name, ("sink", name), {})


def _option_flags(
    call: Call, base: RunConfig, role: str, name: str, path: tuple[str, ...], options: Mapping[str, Any]
) -> Iterator[Flag]:
    """Yield the flags of a component's options.

    A component of the config file that does not exist or cannot be used has no flags: the run reports it.

    :raises AnyAnomalyError: when a component of the command line does not exist or cannot be used.
    """
    from anyanomaly.assemble.resolved_component import resolve_component

    try:
        component = resolve_component(base, call.registry, role, name, options, installed=False)
        model, values = type(component.options), component.options.model_dump()
    except InvalidOption:  # another flag may replace the invalid value
        model, values = call.registry.options_model(call.registry.find(role, name)), dict(options)
    except AnyAnomalyError:
        if name in option_values(call.arguments, f"--{role}") and not call.is_completion:
            raise
        return
    yield from field_flags(model, path, values, f"{'.'.join(path)}.")


def _reader_flags(call: Call, options: Mapping[str, Any]) -> Iterator[Flag]:
    """Yield the flags of the options of all readers, each once: the URI of a video decides which reader is used."""
    paths: set[tuple[str, ...]] = set()
    for spec in call.registry.specs("reader"):
        with contextlib.suppress(AnyAnomalyError):
            for flag in field_flags(call.registry.options_model(spec), ("reader",), options, "reader."):
                if flag.path not in paths:
                    paths.add(flag.path)
                    yield flag
