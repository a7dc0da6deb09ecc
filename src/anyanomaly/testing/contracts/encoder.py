"""The contract of encoders (E clauses)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from anyanomaly.api import Encoder, Options
from anyanomaly.testing.contracts.component import ComponentContract
from anyanomaly.testing.samples import sample_segment
from anyanomaly.types import Crop, Fit, Frame

BOXES = ((0, 0, 32, 32), (8, 4, 40, 36), (16, 8, 40, 40))


class EncoderContract(ComponentContract):
    """Fixture ``component``: an encoder, not loaded."""

    @pytest.fixture
    def loaded(self, component: Any) -> Iterator[Encoder[Options]]:
        """Yield the encoder, loaded."""
        with component:
            yield component

    def test_e1_rows_are_float32_of_unit_length(self, loaded: Encoder[Options]) -> None:
        for rows in (loaded.encode_crops(_crops()), loaded.encode_texts(["a car", "red"])):
            assert rows.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)

    def test_e2_the_same_alone_and_in_a_batch(self, loaded: Encoder[Options]) -> None:
        one_by_one = np.concatenate([loaded.encode_crops([crop]) for crop in _crops()])
        np.testing.assert_allclose(loaded.encode_crops(_crops()), one_by_one, atol=1e-3)

    def test_e3_texts_and_crops_have_the_same_dimension(self, loaded: Encoder[Options]) -> None:
        assert loaded.encode_crops(_crops()).shape[1] == loaded.encode_texts(["a car"]).shape[1]

    def test_e4_no_input_gives_no_rows(self, loaded: Encoder[Options]) -> None:
        assert loaded.encode_crops([]).shape == loaded.encode_texts([]).shape
        assert loaded.encode_crops([]).shape[0] == 0

    @pytest.mark.parametrize("fit", ["centre", "stretch"])
    def test_e5_a_box_equals_the_image_cut_to_it(self, loaded: Encoder[Options], fit: Fit) -> None:
        frame = sample_segment(1).frames[0]
        for box in BOXES:
            x0, y0, x1, y1 = box
            cut = Frame(frame.video, 0, 0.0, np.ascontiguousarray(frame.image[y0:y1, x0:x1]))
            rows = loaded.encode_crops([Crop(frame, box, fit), Crop(cut, None, fit)])
            np.testing.assert_allclose(rows[0], rows[1], atol=1e-3)

    def test_e6_the_input_size_is_a_number_of_pixels(self, loaded: Encoder[Options]) -> None:
        assert isinstance(loaded.image_size, int)
        assert loaded.image_size > 0

    def test_e7_dense_windows_do_not_depend_on_the_other_crops(self, loaded: Encoder[Options]) -> None:
        if not loaded.dense_windows:
            pytest.skip("this encoder has no dense windows")
        frames = sample_segment(2).frames
        crops = [Crop(frame, box, "dense") for box in (*BOXES, None) for frame in frames]
        rows = loaded.encode_crops([*crops, Crop(frames[0])])[:-1]
        one_by_one = np.concatenate([loaded.encode_crops([crop]) for crop in crops])
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
        np.testing.assert_allclose(rows, one_by_one, atol=1e-3)


def _crops() -> list[Crop]:
    frames = sample_segment(2).frames
    return [Crop(frame, box, "stretch") for frame in frames for box in BOXES] + [Crop(frame) for frame in frames]
