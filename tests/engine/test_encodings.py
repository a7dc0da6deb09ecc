"""Counted, not timed: what reaches the encoder, per segment and per run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from anyanomaly.builtin.windows import wording
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.types import Crop, FloatArray
from tests.engine.parts import ListReader, planner, settings


class Recorder(FakeEncoder):
    """Keeps what it encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.crops: list[Crop] = []
        self.texts: list[str] = []

    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        self.crops += crops
        return super().encode_crops(crops)

    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        self.texts += texts
        return super().encode_texts(texts, unit=unit)


TEXTS = ("red car", "blue dog", "a green bicycle", "running", "falling")
N_WINDOWS = 38  # 25 + 9 + 4, on C-ShanghaiTech's sizes
LENGTH = 24


@pytest.mark.parametrize("n_texts", [1, 5])
def test_no_crop_and_no_text_is_encoded_twice(n_texts: int) -> None:
    texts = TEXTS[:n_texts]
    encoder = Recorder()
    plan, caching_encoder = planner(settings(texts=texts, segment_frames=LENGTH), encoder)
    reader = ListReader(4 * LENGTH)
    segments = list(plan.segments(reader, reader.probe("v")))
    shown = [each for segment in segments for each in plan.build_contexts([segment])]

    n_sequence_frames = [len({at for text in texts_ for at in text.key_frames.sequence}) for _, texts_ in shown]
    assert caching_encoder.n_crops == sum(LENGTH + n * N_WINDOWS for n in n_sequence_frames)
    seen = [(crop.frame.image.tobytes(), crop.box, crop.fit) for crop in encoder.crops]
    assert len(seen) == len(set(seen)) == caching_encoder.n_crops
    if n_texts == 1:
        assert caching_encoder.n_crops <= len(segments) * (LENGTH + 4 * N_WINDOWS)

    assert len(encoder.texts) == len(set(encoder.texts))
    n_sentences = len(set(wording()["window_templates"]))  # of the 21, one stands twice
    assert caching_encoder.n_texts == n_texts + (n_texts * n_sentences)


@pytest.mark.parametrize("n_texts", [1, 5])
def test_dense_windows_take_one_pass_per_key_frame(n_texts: int) -> None:
    """With a stride of a quarter of the segment, the candidates are the key frames of every text."""
    texts = TEXTS[:n_texts]
    plan, caching_encoder = planner(settings(texts=texts, segment_frames=LENGTH), encoding="dense", stride=6)
    reader = ListReader(4 * LENGTH)
    segments = list(plan.segments(reader, reader.probe("v")))
    for _ in plan.build_contexts(segments):
        pass
    assert caching_encoder.n_dense_frames == 4 * len(segments)
    assert caching_encoder.n_dense_windows == 4 * len(segments) * N_WINDOWS
    assert caching_encoder.n_crops - caching_encoder.n_dense_windows == 4 * len(segments)
    assert caching_encoder.n_calls == 2  # the candidates of all segments, then the windows of all key frames


def test_dense_and_exact_windows_of_a_frame_are_kept_apart() -> None:
    frame = ListReader(1).frames(ListReader(1).probe("v"))
    (image,) = frame
    _, caching_encoder = planner(settings())
    caching_encoder.encode_crops([Crop(image, (0, 0, 8, 8), "dense"), Crop(image, (0, 0, 8, 8), "stretch")])
    assert (caching_encoder.n_crops, caching_encoder.n_dense_windows, caching_encoder.n_dense_frames) == (2, 1, 1)
    caching_encoder.encode_crops([Crop(image, (0, 0, 8, 8), "dense"), Crop(image, (8, 8, 16, 16), "dense")])
    assert (caching_encoder.n_crops, caching_encoder.n_dense_windows, caching_encoder.n_dense_frames) == (3, 2, 2)


def test_windows_of_several_segments_share_a_pass() -> None:
    plan, caching_encoder = planner(settings(segment_frames=LENGTH), FakeEncoder(batch_size=4 * LENGTH))
    reader = ListReader(8 * LENGTH)
    planned = list(plan.plan([(reader, reader.probe("v"))]))
    assert len(planned) == 9  # 8 segments and the video's end
    assert caching_encoder.n_calls == 2 * 2  # two groups of four segments: whole frames, then windows
