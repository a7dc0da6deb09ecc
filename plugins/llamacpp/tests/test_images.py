"""Images as models read them: sizes, cuts and pixels are those of the image processors of transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from anyanomaly_llamacpp.images import IMAGE, ImageLayout, ImageSizing, PatchBudget
from anyanomaly_llamacpp.layouts import read_layout
from anyanomaly_llamacpp.options import GgufOptions
from anyanomaly_llamacpp.tiles import IdeficsTiles, InternVlTiles, Lfm2Tiles, MiniCpmSlices
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.errors import BackendError, UsageError

Image = np.ndarray
SIDES = st.integers(30, 400)
RAW = {"do_rescale": False, "do_normalize": False}  # pixels as they are: 0 to 255


def idefics(image: Image) -> Sequence[Any]:
    from transformers import SmolVLMImageProcessor

    size = {"size": {"longest_edge": 192}, "max_image_size": {"longest_edge": 48}}
    return SmolVLMImageProcessor(**size, **RAW)(image, return_tensors="pt")["pixel_values"][0]


def internvl(image: Image) -> Sequence[Any]:
    from transformers import GotOcr2ImageProcessor

    processor = GotOcr2ImageProcessor(size={"height": 28, "width": 28}, crop_to_patches=True, max_patches=12, **RAW)
    return processor(image, return_tensors="pt")["pixel_values"]


def lfm2(image: Image) -> Sequence[Any]:
    from transformers import Lfm2VlImageProcessor

    limits = {"min_image_tokens": 4, "max_image_tokens": 16, "tile_size": 64, "encoder_patch_size": 8}
    output = Lfm2VlImageProcessor(**limits, **RAW)(image, return_tensors="pt")
    shapes = output["spatial_shapes"].tolist()
    return [
        rows_of_patches(patches[: height * width].reshape(height, width, 8, 8, 3))
        for patches, (height, width) in zip(output["pixel_values"], shapes, strict=True)
    ]


def gemma4(image: Image) -> Sequence[Any]:
    from transformers import Gemma4ImageProcessor

    output = Gemma4ImageProcessor(max_soft_tokens=70, patch_size=4, **RAW)(image, return_tensors="pt")
    columns, rows = (output["image_position_ids"][0].max(0).values + 1).tolist()
    return [rows_of_patches(output["pixel_values"][0][: rows * columns].reshape(rows, columns, 4, 4, 3))]


def minicpm(image: Image) -> Sequence[Any]:
    from transformers import MiniCPMV4_6ImageProcessor

    output = MiniCPMV4_6ImageProcessor(scale_resolution=64, patch_size=4, **RAW)(image, return_tensors="pt")
    shapes = output["target_sizes"].tolist()
    columns = output["pixel_values"][0].split([4 * height * width for height, width in shapes], dim=-1)
    return [  # (colour, row in a patch, patch and column in it)
        rows_of_patches(part.reshape(3, 4, height, width, 4).permute(2, 3, 1, 4, 0))
        for part, (height, width) in zip(columns, shapes, strict=True)
    ]


def rows_of_patches(patches: Any) -> Any:
    """Return the image (colour, row, column) of patches (row, column, row in it, column in it, colour)."""
    height, width, side, _, _ = patches.shape
    return patches.permute(4, 0, 2, 1, 3).reshape(3, height * side, width * side)


PROCESSORS: dict[str, tuple[ImageLayout, Callable[[Image], Sequence[Any]]]] = {
    "idefics3": (IdeficsTiles(48, 192, 4), idefics),
    "internvl": (InternVlTiles(28, 1, 12), internvl),
    "lfm2": (Lfm2Tiles(ImageSizing(16, 4 * 256, 16 * 256), 64, 2, 10), lfm2),
    "gemma4": (PatchBudget(12, 70 * 144), gemma4),
    "minicpm": (MiniCpmSlices(64, 16, 9), minicpm),
}


@pytest.mark.engine
@pytest.mark.parametrize("name", PROCESSORS)
@settings(max_examples=15, deadline=None)
@given(height=SIDES, width=SIDES)
def test_parts_of_an_image_are_those_of_the_image_processor(name: str, height: int, width: int) -> None:
    """Within the rounding of grey levels, which adds up over the resizes; noise shows any other filter or cut."""
    layout, process = PROCESSORS[name]
    image = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    prepared, reference = layout.prepare(image, 0), process(image)
    assert prepared.text.count(IMAGE) == len(prepared.parts) == len(reference)
    for part, expected in zip(prepared.parts, reference, strict=True):
        expected_pixels = np.asarray(expected).transpose(1, 2, 0)
        assert part.shape == expected_pixels.shape
        assert np.abs(part.astype(int) - expected_pixels).mean() < 0.8


@pytest.mark.engine
def test_sizes_are_those_of_the_image_processor() -> None:
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    random = np.random.default_rng(0)
    for low, high, factor in ((3136, 28224, 28), (3136, 12845056, 28), (65536, 262144, 32)):
        size = ImageSizing(factor, low, high)
        for height, width in [*random.integers(8, 1200, (300, 2)).tolist(), [13, 700], [224, 224], [240, 320]]:
            assert size.size(height, width) == smart_resize(height, width, factor, low, high)


def test_an_image_that_is_too_elongated_is_refused() -> None:
    with pytest.raises(UsageError, match=r"An image of 2001x10 pixels is too elongated"):
        ImageSizing(28, 3136, 28224).prepare(np.zeros((10, 2001, 3), np.uint8), 0)


@pytest.mark.engine
def test_an_elongated_image_keeps_a_row_of_patches() -> None:
    from transformers.models.gemma4.image_processing_gemma4 import get_aspect_ratio_preserving_size

    for height, width in ((3, 900), (900, 3), (10, 700), (1, 5000)):
        size = get_aspect_ratio_preserving_size(height, width, patch_size=16, max_patches=70 * 9, pooling_kernel_size=3)
        assert PatchBudget(48, 70 * 48 * 48).size(height, width) == size


@pytest.mark.engine
def test_pixels_are_those_of_the_image_processor() -> None:
    """Within the rounding of one grey level, also where one side grows and the other shrinks."""
    import torch
    from torchvision.transforms.v2.functional import InterpolationMode, resize

    for shape, resized_shape in (((240, 320), (168, 252)), ((96, 48), (84, 56)), ((48, 96), (56, 84))):
        image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
        (ours,) = ImageSizing(28, 3136, 252 * 196).prepare(image, 0).parts
        colours_first = torch.from_numpy(image).permute(2, 0, 1)
        theirs = resize(colours_first, list(resized_shape), InterpolationMode.BICUBIC, antialias=True)
        assert ours.shape == (*resized_shape, 3)
        assert np.abs(ours.astype(int) - theirs.permute(1, 2, 0).numpy()).max() <= 1
        assert ImageSizing(28, 3136, 224 * 224).prepare(ours, 0).parts[0] is ours


def test_limits_come_from_the_file_the_options_or_the_published_model() -> None:
    header = {"clip.projector_type": "qwen2.5vl_merger", "clip.vision.patch_size": 14}
    assert read_layout(header, GgufOptions()) == ImageSizing(28, 3136, 12845056)
    named = header | {"clip.vision.image_min_pixels": 5000, "clip.vision.image_max_pixels": 9000}
    assert read_layout(named, GgufOptions()) == ImageSizing(28, 5000, 9000)
    assert read_layout(named, GgufOptions(max_pixels=4000)) == ImageSizing(28, 4000, 4000)
    assert read_layout(named, GgufOptions(min_pixels=10000)) == ImageSizing(28, 10000, 10000)
    assert read_layout({"clip.projector_type": "mlp"}, GgufOptions()) is None
    with pytest.raises(UsageError, match=r"by their area.*--backend\.max-pixels"):
        read_layout({"clip.projector_type": "idefics3"}, GgufOptions(max_pixels=4000))


def test_pixel_limits_choose_among_gemmas_numbers_of_tokens() -> None:
    header = {"clip.vision.projector_type": "gemma4v", "clip.vision.patch_size": 16}
    assert read_layout(header, GgufOptions(max_pixels=400_000)) == PatchBudget(48, 140 * 48 * 48)
    with pytest.raises(UsageError, match=r"161280, .*within the limits.*--backend\.max-pixels"):
        read_layout(header, GgufOptions(max_pixels=100_000))


def test_a_file_without_the_size_of_a_tile_is_refused() -> None:
    with pytest.raises(BackendError, match=r"no value 'clip\.vision\.image_size'.*--backend\.mmproj"):
        read_layout({"clip.projector_type": "internvl"}, GgufOptions())


@pytest.mark.parametrize(
    ("projector", "values", "layout"),
    [
        ("idefics3", {"image_size": 512, "patch_size": 16, "projector.scale_factor": 4}, IdeficsTiles(512, 2048, 64)),
        ("internvl", {"image_size": 448}, InternVlTiles(448, 1, 12)),
        ("lfm2", {"patch_size": 16}, Lfm2Tiles(ImageSizing(32, 65536, 262144), 512, 2, 10)),
        ("gemma4v", {"patch_size": 16}, PatchBudget(48, 645120)),
        ("minicpmv4_6", {"image_size": 448, "patch_size": 14}, MiniCpmSlices(448, 56, 9)),
        (
            "glm4v",
            {"patch_size": 14},
            ImageSizing(28, 6272, 5880000, "<|begin_of_image|>", "<|end_of_image|>"),
        ),
    ],
)
def test_published_files_lack_some_values(projector: str, values: dict[str, int], layout: ImageLayout) -> None:
    """llama.cpp's converter leaves them out; llama.cpp has them in its code."""
    header = {f"clip.vision.{name}": value for name, value in values.items()}
    assert read_layout(header | {"clip.vision.projector_type": projector}, GgufOptions()) == layout
