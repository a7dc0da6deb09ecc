"""Contracts: a class of numbered tests per role (docs/contracts.md). Subclass one and define its fixtures.

::

    class TestMyBackend(BackendContract):
        @pytest.fixture
        def component(self) -> MyBackend:
            return MyBackend(MyOptions(model="tiny"))
"""

import pytest

for _module in ("component", "backend", "context", "dataset", "encoder", "gate", "reader", "selector", "sink"):
    pytest.register_assert_rewrite(f"anyanomaly.testing.contracts.{_module}")

from anyanomaly.testing.contracts.backend import BackendContract  # noqa: E402  # after the registration
from anyanomaly.testing.contracts.component import ComponentContract  # noqa: E402
from anyanomaly.testing.contracts.context import ContextContract  # noqa: E402
from anyanomaly.testing.contracts.dataset import DatasetContract  # noqa: E402
from anyanomaly.testing.contracts.encoder import EncoderContract  # noqa: E402
from anyanomaly.testing.contracts.gate import GateContract  # noqa: E402
from anyanomaly.testing.contracts.reader import ReaderContract  # noqa: E402
from anyanomaly.testing.contracts.selector import SelectorContract  # noqa: E402
from anyanomaly.testing.contracts.sink import SinkContract  # noqa: E402

__all__ = [
    "BackendContract",
    "ComponentContract",
    "ContextContract",
    "DatasetContract",
    "EncoderContract",
    "GateContract",
    "ReaderContract",
    "SelectorContract",
    "SinkContract",
]
