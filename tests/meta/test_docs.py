"""The documentation is correct: examples run as printed, links exist, tables of results are those of the scripts."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from anyanomaly import hookspecs
from anyanomaly import specs as specs_module
from anyanomaly.specs import ROLES

ROOT = Path(__file__).resolve().parents[2]


STUB_ENGINE = """
class Engine:
    commit = "0" * 40

    def generate(self, prompts, images, seeds):
        return ["0.5. A reason." for prompt in prompts]


def load(model, revision, dtype):
    return Engine()
"""
"""The module `my_engine`, which stands for the library of an engine in plugins.md."""


@pytest.mark.parametrize("name", ["plugins.md", "hooks.md"])
def test_the_examples_of_the_plugin_pages_run_as_printed(tmp_path: Path, name: str) -> None:
    page = (ROOT / "docs" / name).read_text()
    examples = re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", page, re.DOTALL)
    for file_name, source in examples:
        (tmp_path / file_name).write_text(source)
    (tmp_path / "my_engine.py").write_text(STUB_ENGINE)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    (tmp_path / "bin").mkdir()
    for command_name, arguments in (("python", ""), ("anyanomaly", "-m anyanomaly ")):
        script = tmp_path / "bin" / command_name
        script.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments}"$@"\n')
        script.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "ANYANOMALY_CACHE_DIR": str(tmp_path / "cache"),
        "COLUMNS": "100",
    }
    sessions = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    commands = [command for session in sessions for command in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]]
    assert commands
    for command in commands:
        line, _, expected = command.partition("\n")
        process = subprocess.run(line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        output = process.stdout + process.stderr
        assert process.returncode == 0, f"{line}\n{output}"
        output_lines = [_without_numbers(output_line) for output_line in output.splitlines()]
        expected_lines = [_without_numbers(expected_line) for expected_line in expected.splitlines()]
        missing = set(expected_lines) - {"...", ""} - set(output_lines)
        assert not missing, f"{line}\n{output}"
    for file_name, _ in examples:
        if file_name in ("packaged.py", "downloads.py"):  # no command uses them
            runpy.run_path(str(tmp_path / file_name))


def _without_numbers(line: str) -> str:
    """Return a line of output without its numbers, some of which depend on the machine."""
    return re.sub(r"\d+(\.\d+)?", "N", line)


def test_the_specs_of_the_hooks_page_can_be_made() -> None:
    page = (ROOT / "docs" / "hooks.md").read_text()
    examples = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if re.match(r"\w+Spec\(", block)]
    assert len(examples) == len(ROLES)
    specs = [eval(example, vars(specs_module)) for example in examples]
    assert [spec.role for spec in specs] == [role.name for role in ROLES]


@pytest.mark.parametrize("name", [name for name in vars(hookspecs) if name.startswith("anyanomaly_")])
def test_the_hooks_page_has_the_docstring_of_each_hook(name: str) -> None:
    summary = (vars(hookspecs)[name].__doc__ or "").splitlines()[0]
    assert summary in (ROOT / "docs" / "hooks.md").read_text()


def test_links_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_results_are_the_sections_that_scripts_wrote() -> None:
    joined = runpy.run_path(str(ROOT / "benchmarks" / "speed" / "results.py"))["joined"]
    assert (ROOT / "benchmarks" / "RESULTS.md").read_text() == joined()


def test_each_decision_is_where_the_page_for_contributors_says() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| `([\w/]+\.py)` \| ([^|]+) \|$", page, re.MULTILINE)
    assert len(rows) > 20
    for path, functions in rows:
        source = (ROOT / "src" / "anyanomaly" / path).read_text()
        for name in re.findall(r"`([\w.]+)`", functions):
            for part in name.split("."):
                assert re.search(rf"(def|class) {part}\b|^{part}\b.* = ", source, re.MULTILINE), f"{path} has no {name}"
