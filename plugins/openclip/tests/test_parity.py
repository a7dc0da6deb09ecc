"""Equality with the published implementation: selections, similarities, and every pixel of the contexts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from anyanomaly_openclip.encoder import OpenClipEncoder
from anyanomaly_openclip.options import OpenClipOptions

from anyanomaly.builtin.contexts import PositionContext, TemporalContext
from anyanomaly.builtin.options import NearestOptions, PositionOptions, TemporalOptions
from anyanomaly.builtin.selectors import GroupThenTopSelector, TopSelector, TopThenGroupSelector
from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.types import Context, EventText, Frame, KeyFrames, Segment, Video
from tests.support.shared import SHARED, shared

pytestmark = pytest.mark.engine

LARGE = {"avenue": 240, "shtech": 120}
SELECTORS = {"top_k": TopSelector, "group_then_top": GroupThenTopSelector, "top_then_group": TopThenGroupSelector}
ORACLE = SHARED / "oracle" / "contexts.json"
RECORDS: list[dict[str, Any]] = json.loads(ORACLE.read_text())["records"] if ORACLE.exists() else []


@pytest.fixture(scope="module")
def encoder() -> Iterator[CachingEncoder]:
    weights = str(shared("oracle", "clip_small.safetensors"))
    with CachingEncoder(OpenClipEncoder(OpenClipOptions(model=weights, text_heads=2, device="cpu"))) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def published() -> dict[str, np.ndarray]:
    with np.load(shared("oracle", "contexts.npz")) as arrays:
        return dict(arrays)


def segment(name: str) -> Segment:
    import cv2

    names = json.loads(ORACLE.read_text())["segments"][name]
    paths = [str(shared("oracle", "frames", frame_name)) for frame_name in names]
    images = [cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB) for path in paths]
    height, width, _ = images[0].shape
    video = Video(name, name, 25.0, len(images), width, height)
    frames = tuple(Frame(video, index, index / 25, image) for index, image in enumerate(images))
    return Segment(video, 0, 0, len(frames), frames, np.arange(len(frames)) / 25)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record['segment']}-{record['keyword']}")
def test_selections_are_equal(record: dict[str, Any], encoder: CachingEncoder) -> None:
    text = EventText(record["keyword"], (record["keyword"],))
    for name, (primary, *sequence) in record["selection"].items():
        selector = SELECTORS[name](NearestOptions())
        selector.encoder = encoder
        assert selector.select(segment(record["segment"]), text) == KeyFrames(primary, tuple(sequence)), name


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record['segment']}-{record['keyword']}")
def test_position_contexts_are_equal(
    record: dict[str, Any], encoder: CachingEncoder, published: dict[str, np.ndarray]
) -> None:
    for variant in record["variants"]:
        if "type_list" not in variant:
            continue
        options = PositionOptions(
            large=LARGE[variant["dataset"]],
            stride=variant["stride"],
            softmax=variant["class_adaption"],
            templates=variant["template_adaption"],
            contrast=tuple(variant["type_list"]),
            contrast_run_texts=False,
        )
        context = build_context(PositionContext(options), record, encoder)
        flags = (variant["stride"], variant["class_adaption"], variant["template_adaption"])
        key = "{}|{}|wa|{}_stride{:d}_class{:d}_tmpl{:d}".format(
            record["segment"], record["keyword"].replace(" ", "_"), variant["dataset"], *flags
        )
        for scale, short in (("small", "sml"), ("middle", "mid"), ("large", "lge")):
            similarity = context.views[f"similarity_{scale}"].ravel()
            np.testing.assert_allclose(similarity, published[f"{key}|sim_{short}"], atol=1e-5, err_msg=key)
        assert_same_picture(context, published[key], key)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record['segment']}-{record['keyword']}")
def test_temporal_contexts_are_equal(
    record: dict[str, Any], encoder: CachingEncoder, published: dict[str, np.ndarray]
) -> None:
    for variant in record["variants"]:
        if "grid_window_index" not in variant:
            continue
        options = TemporalOptions(large=LARGE[variant["dataset"]], stride=variant["stride"])
        context = build_context(TemporalContext(options), record, encoder)
        key = "{}|{}|grid|{}_stride{:d}".format(
            record["segment"], record["keyword"].replace(" ", "_"), variant["dataset"], variant["stride"]
        )
        assert int(context.views["similarity"].max(axis=1).argmax()) == variant["grid_window_index"], key
        assert_same_picture(context, published[key], key)


def build_context(
    generator: PositionContext | TemporalContext, record: dict[str, Any], encoder: CachingEncoder
) -> Context:
    generator.encoder = encoder
    primary, *sequence = record["selection"]["top_then_group"]
    text = EventText(record["keyword"], (record["keyword"],))
    (context,) = generator.build(segment(record["segment"]), text, KeyFrames(primary, tuple(sequence)))
    return context


def assert_same_picture(context: Context, published: np.ndarray, key: str) -> None:
    difference = np.abs(context.images[0].astype(int) - published.astype(int))
    assert difference.max() <= 1, f"{key}: {difference.max()} grey levels"
