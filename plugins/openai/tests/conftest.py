"""Backends of servers on loopback, and queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions

from plugins.openai.tests.misbehaving import Script, Scripted, serving

Opened = Callable[..., tuple[OpenAiBackend, Scripted]]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Return a loaded backend of a server with a script, and the server."""
    with ExitStack() as stack:

        def make(script: Script, **options: Any) -> tuple[OpenAiBackend, Scripted]:
            server = stack.enter_context(serving(script))
            given = {"base_url": server.url, "retries": 2, "timeout_seconds": 5, **options}
            return stack.enter_context(OpenAiBackend(OpenAiOptions(**given))), server

        yield make
