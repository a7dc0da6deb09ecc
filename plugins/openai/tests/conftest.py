"""Backends of servers on loopback, and queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions

from plugins.openai.tests.scripted_server import Script, ScriptedServer, serve

OpenBackend = Callable[..., tuple[OpenAiBackend, ScriptedServer]]


@pytest.fixture
def open_backend() -> Iterator[OpenBackend]:
    """Return a function from a script to a loaded backend and its server."""
    with ExitStack() as stack:

        def make(script: Script, **options: Any) -> tuple[OpenAiBackend, ScriptedServer]:
            server = stack.enter_context(serve(script))
            settings = {"base_url": server.url, "retries": 2, "timeout_seconds": 5, **options}
            return stack.enter_context(OpenAiBackend(OpenAiOptions(**settings))), server

        yield make
