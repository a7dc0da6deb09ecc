"""The backend contract, on a tiny model."""

from __future__ import annotations

import pytest
from anyanomaly_llamacpp import anyanomaly_register_backends
from anyanomaly_llamacpp.backend import GgufBackend
from anyanomaly_llamacpp.options import GgufOptions

from anyanomaly.specs import BackendSpec
from anyanomaly.testing.contracts.backend import BackendContract
from plugins.demo.training.export_gguf import Files

pytestmark = pytest.mark.engine


class TestGGUF(BackendContract):
    @pytest.fixture
    def component(self, files: Files) -> GgufBackend:
        return GgufBackend(GgufOptions(model=str(files.model), batch_size=2))

    @pytest.fixture
    def spec(self) -> BackendSpec:
        return anyanomaly_register_backends()[0]
