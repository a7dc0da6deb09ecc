"""Write docs/cli.md from the code: ``python docs/cli.py``; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from anyanomaly.cli import main
from anyanomaly.cli.call import Call
from anyanomaly.cli.flags import Flag
from anyanomaly.cli.plugins import option_flags
from anyanomaly.errors import EXIT_CODES
from anyanomaly.registry import auto
from anyanomaly.specs import ROLE_NAMES, ComponentSpec

PAGE = Path(__file__).with_name("cli.md")

HEAD = """# Command line

Written by `python docs/cli.py` from the code; do not edit.

Data goes to standard output, everything else to standard error. Settings come from, each over the one before: defaults,
the preset, the config file (`--config`, `ANYANOMALY_CONFIG`, `./anyanomaly.toml`, the user's), flags. One name for one
value everywhere: in Python `backend={"name": "transformers", "batch_size": 4}`, in a file `[backend]` with
`batch_size = 4`, on the command line `--backend transformers --backend.batch-size 4`. Which options there are depends
on the components chosen: `anyanomaly run --backend NAME --help` lists them.

| Exit code | Meaning |
| --- | --- |
{exit_codes}

| Variable | Meaning |
| --- | --- |
| `ANYANOMALY_CONFIG` | config file |
| `ANYANOMALY_CACHE_DIR` | folder of the answer store ([cache.md](cache.md)) |
| `ANYANOMALY_CACHE_MAX_SIZE` | largest size of the answer store, or `off`; by default `2GB` |
| `ANYANOMALY_CACHE_MAX_AGE` | how long unused answers are kept, or `off`; by default `180d` |
| `ANYANOMALY_DISABLE_PLUGINS` | plugins to leave out, by entry-point name, separated by commas |

Completion of commands, options and component names: `anyanomaly --install-completion`.
"""

COMMANDS = (
    (),
    ("run",),
    ("show",),
    ("eval",),
    ("bench",),
    ("plugins",),
    ("plugins", "show"),
    ("plugins", "check"),
    ("config", "show"),
    ("config", "path"),
    ("config", "init"),
    ("config", "trust"),
    ("config", "untrust"),
    ("cache", "show"),
    ("cache", "prune"),
    ("cache", "clear"),
    ("doctor",),
)


def page() -> str:
    """Return the page, for a user without a config file."""
    auto.has_nvidia_gpu = auto.has_apple_gpu = lambda: False  # the same page on every machine
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ.update(XDG_CONFIG_HOME=folder, COLUMNS="100")
        os.environ.pop("ANYANOMALY_CONFIG", None)
        rows = [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
        head = HEAD.replace("{exit_codes}", "\n".join(rows))
        return "\n".join([head, *(_command(words) for words in COMMANDS), *_components()])


def _command(words: tuple[str, ...]) -> str:
    title = " ".join(["anyanomaly", *words])
    help_text = _help(words)
    if words in (("show",), ("eval",), ("config", "show")):  # the flags of a run are listed once
        own, _, run_flags = help_text.partition("  -t, --text")
        help_text = f"{own}  (and the flags of `anyanomaly run`)\n{run_flags[run_flags.rindex('  -h, --help') :]}"
    return f"## `{title}`\n\n```text\n{help_text.rstrip()}\n```\n"


def _help(words: tuple[str, ...]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main([*words, "--help"])
    return out.getvalue()


def _components() -> Iterator[str]:
    call = Call([])
    yield "## Components\n"
    for role in ROLE_NAMES:
        own = [spec for spec in call.registry.specs(role) if spec.target.startswith("anyanomaly")]
        if own:
            yield f"### {role.capitalize()}s\n"
        yield from (_component(call, spec) for spec in own)


def _component(call: Call, spec: ComponentSpec) -> str:
    flags = option_flags(call, spec)
    rows = [f"| {_names(flag)} | {_cell(flag.metavar or '')} | {_cell(flag.help)} |" for flag in flags]
    table = "\n\n" + "\n".join(["| Option | Value | |", "| --- | --- | --- |", *rows]) if rows else ""
    return f"**`{spec.name}`** {spec.summary}{table}\n"


def _names(flag: Flag) -> str:
    return ", ".join(f"`{name}`" for name in flag.names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.exit(f"{PAGE.name} is out of date. Run: python docs/cli.py")
