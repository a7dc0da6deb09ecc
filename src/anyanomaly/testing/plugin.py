"""A pytest plugin: run the contract of an installed component without writing a test.

::

    anyanomaly plugins check backend:mine
    pytest -p anyanomaly.testing.plugin --pyargs anyanomaly.testing.conformance --component backend:mine
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from anyanomaly.errors import MissingRequirement
from anyanomaly.install import install_command


def pytest_addoption(parser: Any) -> None:
    """Add the options of the conformance run."""
    group = parser.getgroup("anyanomaly")
    group.addoption("--component", default="", help="ROLE:NAME of the component to check")
    group.addoption("--component-options", default="{}", help="its options, as JSON")
    group.addoption("--component-plugin", action="append", default=[], help="plugin file or module to load")


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Keep the contract of the component's role."""
    role = config.getoption("--component").partition(":")[0]
    other = [item for item in items if getattr(item.cls, "role", role) != role]
    items[:] = [item for item in items if item not in other]
    config.hook.pytest_deselected(items=other)


def check(component: str, options: Mapping[str, Any], plugins: Sequence[str] = ()) -> int:
    """Run the contract of ROLE:NAME and return pytest's exit code.

    :raises MissingRequirement: without pytest.
    """
    try:
        import pytest
    except ImportError as error:
        command = install_command("anyanomaly[testing]")
        raise MissingRequirement(f"Checking a component needs pytest. Run: {command}") from error
    given = ["--component", component, "--component-options", json.dumps(dict(options), default=str)]
    loaded = [part for plugin in plugins for part in ("--component-plugin", plugin)]
    module = "anyanomaly.testing.conformance.test_component"
    quiet = ["-q", "-p", "no:cacheprovider", "-c", os.devnull]  # not the settings of the folder we happen to be in
    return int(pytest.main(["-p", "anyanomaly.testing.plugin", "--pyargs", module, *quiet, *given, *loaded]))
