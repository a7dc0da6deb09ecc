"""The contract of context generators (X clauses)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from anyanomaly.api import ContextGenerator, ContextOptions
from anyanomaly.specs import ContextSpec
from anyanomaly.testing.contracts.component import ComponentContract
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.testing.samples import TEXT, sample_segment
from anyanomaly.types import Context, KeyFrames


class ContextContract(ComponentContract):
    """Fixtures ``component``: a context generator, not loaded; ``spec``: its spec."""

    @pytest.fixture
    def spec(self) -> ContextSpec:
        """Return the generator's spec."""
        raise AssertionError("the context contract needs the fixture `spec`")

    @pytest.fixture
    def generator(self, component: Any) -> ContextGenerator[ContextOptions]:
        """Return the generator, loaded, with an encoder."""
        component.encoder = FakeEncoder()
        component.load()
        generator: ContextGenerator[ContextOptions] = component
        return generator

    @pytest.mark.parametrize("sequence", [(0,), (2, 5), (1, 7, 13, 19), tuple(range(9))])
    def test_x1_x2_x4_images_are_valid_for_any_key_frames(
        self, generator: ContextGenerator[ContextOptions], spec: ContextSpec, sequence: tuple[int, ...]
    ) -> None:
        contexts = _build(generator, sequence)
        assert contexts
        for context in contexts:
            assert context.name == spec.name
            assert 1 <= len(context.images) <= spec.images
            for image in context.images:
                assert image.dtype == np.uint8
                assert image.flags.c_contiguous

    def test_x3_a_hint_when_it_shows_more_than_one_frame(self, generator: ContextGenerator[ContextOptions]) -> None:
        for of_one, of_four in zip(_build(generator, (3,)), _build(generator, (3, 9, 15, 21)), strict=False):
            if any((a != b).any() for a, b in zip(of_one.images, of_four.images, strict=True)):
                assert of_four.hint

    def test_x5_the_same_input_gives_the_same_output(self, generator: ContextGenerator[ContextOptions]) -> None:
        for first, second in zip(_build(generator, (1, 7, 13, 19)), _build(generator, (1, 7, 13, 19)), strict=True):
            assert all((a == b).all() for a, b in zip(first.images, second.images, strict=True))


def _build(generator: ContextGenerator[ContextOptions], sequence: tuple[int, ...]) -> Sequence[Context]:
    return generator.build(sample_segment(), TEXT, KeyFrames(sequence[0], sequence))
