"""No import cycle in the core, in a plugin or in its training scripts, neither at the top nor inside functions.

An import inside a function hides a cycle from Python, not from the reader: neither module can be understood or moved
alone. Imports for types only (``if TYPE_CHECKING:``) do not count, because they never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = sorted((ROOT / "src", *ROOT.glob("plugins/*/src"), *ROOT.glob("plugins/*/training")))


def modules_in(folder: Path) -> dict[str, Path]:
    """Return each module below ``folder`` by its dotted name."""
    modules = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def is_for_types_only(node: ast.AST) -> bool:
    if not isinstance(node, ast.If):
        return False
    names = (node.test.id if isinstance(node.test, ast.Name) else "", getattr(node.test, "attr", ""))
    return "TYPE_CHECKING" in names


def import_statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that run, also those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif is_for_types_only(node):
            for statement in node.orelse:  # type: ignore[attr-defined]
                yield from import_statements(ast.Module([statement], []))
        else:
            yield from import_statements(node)


def imported_modules(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """Return which of ``modules`` a file imports. ``from package import name`` is the submodule, where there is one."""
    names: set[str] = set()
    for statement in import_statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            names |= {alias.name for alias in statement.names}
        else:
            for alias in statement.names:
                submodule = f"{statement.module}.{alias.name}"
                names.add(submodule if submodule in modules else str(statement.module))
    return names & modules.keys()


def find_cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the modules of one cycle, the first again at the end; empty when there is none."""
    finished: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module not in finished:
            for dependency in sorted(graph[module]):
                if cycle := visit(dependency, [*trail, module]):
                    return cycle
            finished.add(module)
        return []

    return next((cycle for module in sorted(graph) if (cycle := visit(module, []))), [])


def import_graph(folder: Path) -> dict[str, set[str]]:
    modules = modules_in(folder)
    return {name: imported_modules(path, modules) for name, path in modules.items()}


@pytest.mark.parametrize("folder", SOURCE_FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_no_import_cycle(folder: Path) -> None:
    assert not (cycle := find_cycle(import_graph(folder))), " imports ".join(cycle)


def test_a_cycle_through_a_function_is_reported(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "command.py").write_text("def run():\n    from package.measure import auc\n")
    (package / "measure.py").write_text("from package import command\n")
    assert find_cycle(import_graph(tmp_path)) == ["package.command", "package.measure", "package.command"]
    (package / "measure.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package import command\n"
    )
    assert find_cycle(import_graph(tmp_path)) == []
