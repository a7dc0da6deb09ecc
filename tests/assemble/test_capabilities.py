"""What components declare is held against what a run asks, before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import anyanomaly
from anyanomaly.errors import CapabilityError, PluginError
from anyanomaly.testing.videos import synthetic_frames

PLUGIN = """
from pydantic import Field

from anyanomaly import BackendSpec, ContextSpec, EncoderSpec, ReaderSpec, hookimpl
from anyanomaly.api import ContextOptions, Options
from anyanomaly.kit import ThinkingOptions
from anyanomaly.builtin.contexts import KeyContext
from anyanomaly.testing.fakes import EndlessReader, FakeBackend, FakeEncoder
from anyanomaly.types import Context


class DeviceOptions(Options):
    device: str = Field("auto", description="where it runs")


class Thinker(ThinkingOptions):
    pass


class Fake(FakeBackend):
    def __init__(self, options):
        super().__init__()
        self.options = options


class Narrow(Fake):
    def load(self):
        super().load()
        self.max_images = 1


class Pair(KeyContext):
    def build(self, segment, text, key_frames):
        (context,) = super().build(segment, text, key_frames)
        return [Context("pair", context.images * 2)]


class NoDense(FakeEncoder):
    def load(self):
        self.dense_windows = False


class Empty(KeyContext):
    def build(self, segment, text, key_frames):
        return []


@hookimpl
def anyanomaly_register_backends():
    options, gpu = f"{__name__}:DeviceOptions", frozenset({"cuda"})
    return [
        BackendSpec(name="on-cpu", summary="s", target=f"{__name__}:Fake", options=options),
        BackendSpec(name="on-gpu", summary="s", target=f"{__name__}:Fake", options=options, devices=gpu),
        BackendSpec(
            name="thinker", summary="s", target=f"{__name__}:Fake", options=f"{__name__}:Thinker", logprobs=True
        ),
        BackendSpec(name="one-image", summary="s", target=f"{__name__}:Fake"),
        BackendSpec(name="narrow", summary="s", target=f"{__name__}:Narrow", max_images=None),
        BackendSpec(name="wide", summary="s", target=f"{__name__}:Fake", max_images=None),
    ]


@hookimpl
def anyanomaly_register_encoders():
    return [
        EncoderSpec(name="plain", summary="s", target="anyanomaly.testing.fakes:FakeEncoder"),
        EncoderSpec(name="no-dense", summary="s", target=f"{__name__}:NoDense", dense_windows=True),
        EncoderSpec(name="dense", summary="s", target="anyanomaly.testing.fakes:FakeEncoder", dense_windows=True),
    ]


@hookimpl
def anyanomaly_register_contexts():
    options = "anyanomaly.api:ContextOptions"
    return [
        ContextSpec(name="pair", summary="s", target=f"{__name__}:Pair", options=options, images=2),
        ContextSpec(name="empty", summary="s", target=f"{__name__}:Empty", options=options),
    ]


@hookimpl
def anyanomaly_register_readers():
    target = "anyanomaly.testing.fakes:EndlessReader"
    return [ReaderSpec(name="endless", summary="s", target=target, schemes=frozenset({"endless"}), live=True)]
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    plugin = tmp_path / "capable_plugin.py"
    plugin.write_text(PLUGIN)
    synthetic_frames(tmp_path / "clip", n_frames=24)
    return {
        "videos": str(tmp_path / "clip"),
        "texts": "car",
        "plugins": [str(plugin)],
        "contexts": ["key"],
        "selector": "middle",
        "run": {"store": False},
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backend": {"name": "on-cpu", "device": "cuda:1"}}, "'on-cpu' does not run on cuda:1; it runs on cpu"),
        ({"backend": "on-cpu", "run": {"device": "mps"}}, "'on-cpu' does not run on mps"),
        ({"backend": {"name": "on-gpu", "device": "cpu"}}, "'on-gpu' does not run on cpu; it runs on cuda"),
        ({"backend": "one-image", "contexts": ["pair"]}, "makes up to 2 images per question; .* takes 1"),
        ({"backend": "narrow", "contexts": ["pair"]}, "makes up to 2 images per question; .* takes 1"),
        (
            {"backend": {"name": "thinker", "thinking": "on"}, "run": {"scoring": "yes-no"}},
            "--scoring yes-no .*--backend.thinking on.*--scoring words",
        ),
    ],
)
def test_a_run_that_a_component_cannot_do_is_refused(
    settings: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CapabilityError, match=message):
        list(anyanomaly.run(**{**settings, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"backend": {"name": "on-cpu", "device": "cpu"}},
        {"backend": "on-gpu"},
        {"backend": "one-image", "run": {"device": "cuda", "store": False}},  # it has no option for a device
        {"backend": "wide", "contexts": ["pair"]},
        {"backend": {"name": "thinker", "thinking": "on"}},
    ],
)
def test_a_run_that_all_components_can_do_is_not_refused(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    assert len(anyanomaly.join_timelines(anyanomaly.run(**{**settings, **changes}))) == 1


def test_no_video_can_come_after_one_that_never_ends(settings: dict[str, Any]) -> None:
    settings |= {"backend": "wide", "videos": ["endless://camera", settings["videos"]]}
    with pytest.raises(CapabilityError, match="endless://camera never ends"):
        list(anyanomaly.run(**settings))
    settings["videos"] = settings["videos"][::-1]
    outcomes = anyanomaly.run(**settings)
    assert isinstance(next(outcomes), anyanomaly.Timeline)
    outcomes.close()  # type: ignore[attr-defined]


def test_a_context_that_shows_nothing_is_an_error_and_no_missing_score(settings: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match="Context 'empty' of capable_plugin: build returned no context for segment 0"):
        list(anyanomaly.run(**{**settings, "backend": "wide", "contexts": ["key", "empty"]}))


DENSE = {"encoding": "dense"}


@pytest.mark.parametrize("encoder", ["plain", "no-dense"])
@pytest.mark.parametrize(
    ("changes", "label", "flag"),
    [
        ({"contexts": ["position"], "context": {"position": DENSE}}, "Context 'position'", "--context.position"),
        ({"contexts": ["temporal"], "context": {"temporal": DENSE}}, "Context 'temporal'", "--context.temporal"),
        ({"selector": {"name": "top", "windows": [120], **DENSE}}, "Selector 'top'", "--selector"),
    ],
)
def test_an_encoder_without_dense_windows_is_refused_where_they_are_asked_for(
    settings: dict[str, Any], encoder: str, changes: dict[str, Any], label: str, flag: str
) -> None:
    """By its spec before anything is loaded, or by the encoder itself once its model is known."""
    message = f"{label} asks for dense windows, which Encoder '{encoder}' does not have. Use {flag}.encoding exact"
    with pytest.raises(CapabilityError, match=message):
        list(anyanomaly.run(**{**settings, "backend": "wide", "encoder": encoder, **changes}))


@pytest.mark.parametrize(("encoder", "encoding"), [("plain", "exact"), ("no-dense", "exact"), ("dense", "dense")])
def test_any_encoder_has_exact_windows(settings: dict[str, Any], encoder: str, encoding: str) -> None:
    changes = {"contexts": ["position"], "context": {"position": {"encoding": encoding}}}
    run = anyanomaly.run(**{**settings, "backend": "wide", "encoder": encoder, **changes})
    assert len(anyanomaly.join_timelines(run)) == 1
