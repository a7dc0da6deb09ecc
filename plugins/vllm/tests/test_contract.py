"""The contract of backends, checked with a real engine."""

from __future__ import annotations

import pytest
from anyanomaly_vllm import anyanomaly_register_backends
from anyanomaly_vllm.backend import VllmBackend
from anyanomaly_vllm.options import VllmOptions

from anyanomaly.specs import BackendSpec
from anyanomaly.testing.contracts import BackendContract


@pytest.mark.engine
class TestVllm(BackendContract):
    @pytest.fixture
    def component(self, options: VllmOptions) -> VllmBackend:
        return VllmBackend(options)

    @pytest.fixture
    def loaded(self, backend: VllmBackend) -> VllmBackend:
        return backend

    @pytest.fixture
    def spec(self) -> BackendSpec:
        return anyanomaly_register_backends()[0]
