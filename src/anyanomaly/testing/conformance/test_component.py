"""The contracts, run on the component that ``--component`` names; those of other roles are deselected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anyanomaly.registry import load
from anyanomaly.testing import contracts
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.testing.videos import synthetic_frames, synthetic_video


class _Installed:
    """Fixtures that create the installed component."""

    @pytest.fixture
    def spec(self, request: pytest.FixtureRequest) -> Any:
        self.registry = load(request.config.getoption("--component-plugin"))
        return self.registry.find(*request.config.getoption("--component").split(":", 1))

    @pytest.fixture
    def component(self, request: pytest.FixtureRequest, spec: Any, tmp_path: Path) -> Any:
        return self._create(request, spec, tmp_path)

    @pytest.fixture
    def another(self, request: pytest.FixtureRequest, spec: Any, tmp_path: Path) -> Any:
        return self._create(request, spec, tmp_path)

    @pytest.fixture
    def uri(self, spec: Any, tmp_path: Path) -> str:
        """Return a clip, or a folder of images for a reader of images or one without suffixes."""
        if spec.suffixes and ".png" not in spec.suffixes:
            synthetic_video(tmp_path / "clip.mp4")
            return str(tmp_path / "clip.mp4")
        synthetic_frames(tmp_path / "clip")
        return str(tmp_path / "clip")

    def _create(self, request: pytest.FixtureRequest, spec: Any, folder: Path) -> Any:
        options = json.loads(request.config.getoption("--component-options"))
        if spec.role == "sink":
            options.setdefault("path", str(folder / f"results{min(spec.suffixes, default='')}"))
        self.registry.check_requirements(spec)
        component: Any = self.registry.create(spec, options)
        if getattr(spec, "needs_encoder", False):
            component.encoder = FakeEncoder()
        return component


class TestBackend(_Installed, contracts.BackendContract):
    role = "backend"


class TestContext(_Installed, contracts.ContextContract):
    role = "context"


class TestDataset(_Installed, contracts.DatasetContract):
    role = "dataset"


class TestEncoder(_Installed, contracts.EncoderContract):
    role = "encoder"


class TestGate(_Installed, contracts.GateContract):
    role = "gate"


class TestReader(_Installed, contracts.ReaderContract):
    role = "reader"


class TestSelector(_Installed, contracts.SelectorContract):
    role = "selector"


class TestSink(_Installed, contracts.SinkContract):
    role = "sink"
