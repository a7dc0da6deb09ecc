"""``anyanomaly config``: print the settings, locate, write or accept the config file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from anyanomaly.cli.app import COMMANDS, new_app
from anyanomaly.cli.call import Call, FlagValues
from anyanomaly.cli.flags import with_flags
from anyanomaly.cli.output import print_line, print_message, print_toml
from anyanomaly.cli.run_flags import read_settings, run_flags
from anyanomaly.config.files import FILE_NAME, find_file, parse_settings, read_bytes, user_file
from anyanomaly.config.load import Settings
from anyanomaly.config.model import RunConfig
from anyanomaly.config.toml import to_toml, toml_value
from anyanomaly.config.trust import guarded_settings, trust, withdraw_trust
from anyanomaly.errors import MissingRequirement, OutputError, UsageError
from anyanomaly.specs import SINGLE_ROLES

TRUST_HELP = f"""Accept all settings of {FILE_NAME} until it changes, and print those that need it.

Settings of a file in the current folder that can run code, send data, or read and write files count only then: the file
may be a stranger's. Files that --config names count anyway. Moving the file ends the trust."""

LocalFile = Annotated[Path, typer.Argument(metavar="[FILE]", help=f"a file named {FILE_NAME}")]


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application.

    :raises UsageError: for an unknown component on the command line, and for a config file that cannot be used.
    """
    config = new_app(help=COMMANDS["config"])

    def show(
        flag_values: FlagValues,
        videos: Annotated[list[str] | None, typer.Argument(metavar="VIDEO", help="as for `run`")] = None,
    ) -> None:
        values = {**flag_values, ("videos",): videos} if videos else flag_values
        _show(call, read_settings(call, values))

    def path() -> None:
        file = find_file(call.config_file)
        if file is None:
            paths = f"./{FILE_NAME} and {user_file()}"
            print_message(f"There is no config file; searched {paths}. Write one with: anyanomaly config init")
        else:
            print_line(str(file.path))

    def init(target: Annotated[Path, typer.Argument(metavar="[FILE]", help="file to write")] = Path(FILE_NAME)) -> None:
        _init(target)

    def accept(target: LocalFile = Path(FILE_NAME)) -> None:
        _accept(target, call)

    def reject(target: LocalFile = Path(FILE_NAME)) -> None:
        print_line(f"{target} is not accepted any more." if withdraw_trust(target) else f"{target} was not accepted.")

    help_text = "Print the settings of a run as a config file, with the origin of each value; flags as for `run`."
    config.command("show", help=help_text)(with_flags(show, run_flags(call) if call.arguments[:1] == ("show",) else []))
    config.command("path", help="Print the path of the config file that is read.")(path)
    config.command("init", help=f"Write a config file with every setting explained ({FILE_NAME}).")(init)
    config.command("trust", help=TRUST_HELP)(accept)
    config.command("untrust", help=f"Accept {FILE_NAME} no longer.")(reject)
    app.add_typer(config, name="config")


def _show(call: Call, settings: Settings) -> None:
    """Print the settings with the components that `auto` stands for and all options of components.

    :raises UsageError: for settings that `run` refuses: of one value before, of several together after printing them.
    """
    from anyanomaly.assemble.capabilities import resolve_and_check
    from anyanomaly.assemble.prompts import scoring_prompt
    from anyanomaly.assemble.resolve import fill_in, resolve_components, resolve_readers, resolve_sinks
    from anyanomaly.assemble.scoring import choose_scoring, decide_scoring

    registry, config, origins = call.registry, settings.config, dict(settings.origins)
    readers = {reader.name: reader for reader in resolve_readers(config, registry).values()}
    components = list(resolve_components(config, registry))
    for component in components:
        path = component.path
        if component.reason:
            origins[f"{path}.name"] = f"chosen for auto, because {component.reason}"
        for option in {"device", "seed"} & set(component.settings):  # by default those of the run
            origins.setdefault(f"{path}.{option}", origins.get(f"run.{option}", "default"))
    config = fill_in(config, components, resolve_sinks(config, registry))
    if config.reader.name == "auto" and len(readers) == 1:  # it stays auto: the URI of a video decides
        (reader,) = readers.values()
        origins["reader.name"] = f"{reader.name}, because of the URI"
        config = fill_in(config, [reader])
        config = config.model_copy(update={"reader": config.reader.model_copy(update={"name": "auto"})})
    backend = next((component for component in components if component.spec.role == "backend"), None)
    if backend is not None and (choice := choose_scoring(config, backend)).reason:
        config = decide_scoring(config, backend)
        origins["run.scoring"] = f"chosen for auto, because {choice.reason}"
        origins.setdefault("run.reason_above", "the threshold of events")
    if (template := scoring_prompt(config, config.backend.name)) != config.prompt.name:
        origins["prompt.name"] = f"stands for {template}"
    print_toml(to_toml(config, origins))
    with suppress(MissingRequirement):  # settings may be for another machine
        resolve_and_check(settings.config, registry)


def _init(target: Path) -> None:
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write("\n".join(_list_defaults()) + "\n")
    except FileExistsError:
        raise UsageError(f"{target} exists already and is not overwritten; name another file, or remove it.") from None
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}.") from error
    print_line(str(target))


def _accept(target: Path, call: Call) -> None:
    if target.name != FILE_NAME:
        raise UsageError(f"Only a file named {FILE_NAME} needs to be accepted; use another one with: --config {target}")
    content = read_bytes(target, "config file")
    for name in guarded_settings(parse_settings(content, target), call.registry):
        print_line(name)  # not the value, which may be a key
    trust(target, content)
    print_message(f"{target} is accepted until it changes.")


def _list_defaults() -> Iterator[str]:
    """Yield the lines of a config file that has every setting with its default, commented out."""
    yield "# Settings of anyanomaly. Every line has the default; remove the # in front to change it."
    config = RunConfig()
    values: dict[str, Any] = config.model_dump(mode="json")
    for name, field in RunConfig.model_fields.items():
        if name not in ("context", "gate", "sink") and not isinstance(values[name], dict):
            yield from _setting(name, values[name], field.description)
    for name in SINGLE_ROLES:
        yield f"\n# {RunConfig.model_fields[name].description}; options: anyanomaly plugins show {name}:NAME"
        yield f"[{name}]\n# name = {toml_value(values[name]['name'])}"
    yield "\n# options of a gate: anyanomaly plugins show gate:NAME\n# [gate.NAME]"
    for context in config.contexts:
        yield f"\n# options: anyanomaly plugins show context:{context}\n# [context.{context}]"
    for name in ("prompt", "run"):
        yield f"\n# {RunConfig.model_fields[name].description}\n[{name}]"
        for key, field in type(getattr(config, name)).model_fields.items():
            yield from _setting(key, values[name][key], field.description)
    yield f'\n# {RunConfig.model_fields["sink"].description}\n# [[sink]]\n# path = "results.jsonl"'


def _setting(key: str, value: Any, description: str | None) -> Iterator[str]:
    yield f"# {key} ={f' {toml_value(value)}' if value is not None else ''}  # {description}"
