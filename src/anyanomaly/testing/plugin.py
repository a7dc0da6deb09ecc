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
    """Add the options that name the component."""
    group = parser.getgroup("anyanomaly")
    group.addoption("--component", default="", help="ROLE:NAME of the component to check")
    group.addoption("--component-options", default="{}", help="options of the component, as JSON")
    group.addoption("--component-plugin", action="append", default=[], help="plugin file or module to load")


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Deselect the contracts of other roles than the component's."""
    role = config.getoption("--component").partition(":")[0]
    deselected = [item for item in items if getattr(item.cls, "role", role) != role]
    items[:] = [item for item in items if item not in deselected]
    config.hook.pytest_deselected(items=deselected)


def check(component: str, options: Mapping[str, Any], plugins: Sequence[str] = ()) -> int:
    """Run the contract of the component ROLE:NAME and return pytest's exit code.

    :param options: of the component. :param plugins: plugin files or modules to load.
    :raises MissingRequirement: without pytest.
    """
    try:
        import pytest
    except ImportError as error:
        command = install_command("anyanomaly[testing]")
        raise MissingRequirement(f"Checking a component needs pytest. Run: {command}") from error
    about = ["--component", component, "--component-options", json.dumps(dict(options), default=str)]
    plugin_flags = [word for plugin in plugins for word in ("--component-plugin", plugin)]
    module = "anyanomaly.testing.conformance.test_component"
    # no configuration file: the working folder's is about other tests
    flags = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main(["-p", "anyanomaly.testing.plugin", "--pyargs", module, *flags, *about, *plugin_flags]))
