"""The contract of datasets (D clauses)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from anyanomaly.api import Dataset, Options
from anyanomaly.core.labels import class_texts
from anyanomaly.testing.contracts.component import ComponentContract


class DatasetContract(ComponentContract):
    """Fixture ``component``: a dataset with its files, not loaded."""

    @pytest.fixture
    def loaded(self, component: Any) -> Iterator[Dataset[Options]]:
        """Yield the dataset, loaded."""
        with component:
            yield component

    def test_d1_iterating_twice_gives_the_same(self, loaded: Dataset[Options]) -> None:
        for first, second in zip(loaded.videos(), loaded.videos(), strict=True):
            assert (first.id, first.uri, first.texts) == (second.id, second.uri, second.texts)
            assert first.spans == second.spans
            assert first.labels.keys() == second.labels.keys()
            assert all((first.labels[name] == second.labels[name]).all() for name in first.labels)

    def test_d2_videos_have_their_own_ids(self, loaded: Dataset[Options]) -> None:
        ids = [video.id for video in loaded.videos()]
        assert ids
        assert len(set(ids)) == len(ids)

    def test_d3_labels_are_rows_of_bools_and_spans_are_not_empty(self, loaded: Dataset[Options]) -> None:
        for video in loaded.videos():
            assert video.labels or video.spans
            for labels in video.labels.values():
                assert labels.dtype == np.bool_
                assert labels.ndim == 1
                assert not labels.flags.writeable
            assert all(start < stop for spans in video.spans.values() for start, stop in spans)

    def test_d4_a_class_is_scored_by_texts_of_its_video(self, loaded: Dataset[Options]) -> None:
        for video in loaded.videos():
            assert all(set(texts) <= set(video.texts) for texts in class_texts(video).values())

    def test_d5_a_survey_holds_the_same_videos(self, loaded: Dataset[Options]) -> None:
        survey = loaded.survey()
        assert [video.id for video in survey.videos] == [video.id for video in loaded.videos()]
