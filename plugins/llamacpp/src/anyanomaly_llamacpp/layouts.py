"""Which layout of images a projector has, by the metadata of its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from anyanomaly.errors import BackendError
from anyanomaly.kit import PixelOptions, limit_gemma_tokens, no_area_error
from anyanomaly_llamacpp.images import ImageLayout, ImageSizing, PatchBudget
from anyanomaly_llamacpp.tiles import IdeficsTiles, InternVlTiles, Lfm2Tiles, MiniCpmSlices

# Smallest and largest image areas of the published models, in pixels, for files without these values.
PUBLISHED_AREAS = {
    "qwen2vl_merger": (56 * 56, 28 * 28 * 16384),
    "qwen2.5vl_merger": (56 * 56, 28 * 28 * 16384),
    "qwen3vl_merger": (65536, 16777216),
    "glm4v": (112 * 112 // 2, 28 * 28 * 15000 // 2),  # the image processor counts each image twice
}
GEMMA_TOKENS = 280  # of an image, in the published models


def read_layout(header: Mapping[str, Any], options: PixelOptions) -> ImageLayout | None:
    """Return the layout for the projector that ``header`` describes; None: llama.cpp sizes and cuts images itself.

    :raises UsageError: when the user sets limits for a model that does not size images by their area.
    :raises BackendError: when the file lacks a value.
    """
    projector = header.get("clip.projector_type") or header.get("clip.vision.projector_type", "")
    if projector in PUBLISHED_AREAS:
        return _area_layout(header, options, projector)
    if projector == "gemma4v":
        return _patch_budget(_Values(header), options)
    if options.has_pixel_limits:
        raise no_area_error(f"A projector of type {projector!r}")
    makers: dict[str, Callable[[_Values], ImageLayout]] = {
        "idefics3": _idefics_tiles,
        "internvl": _internvl_tiles,
        "lfm2": _lfm2_tiles,
        "minicpmv4_6": _minicpm_slices,
    }
    return makers[projector](_Values(header)) if projector in makers else None


class _Values:
    """The values of a projector's vision tower."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self._header = header

    def __call__(self, name: str, published: Any = None) -> Any:
        """Return the value ``name``; the published one where the file lacks it.

        :raises BackendError: when both are missing, or the value is no positive number.
        """
        value = self._header.get(f"clip.vision.{name}", published)
        if value is None:
            raise BackendError(
                f"The projector has no value 'clip.vision.{name}', so its images cannot be sized. "
                "Give another mmproj file of the model as --backend.mmproj."
            )
        if not (isinstance(value, int) and 0 < value < 2**31):
            raise BackendError(
                f"The projector has the value {value!r} for 'clip.vision.{name}', so its images cannot be sized. "
                "Give another mmproj file of the model as --backend.mmproj."
            )
        return value

    def factor(self, published: int) -> int:
        """Return the side of an image token, in pixels."""
        return int(self("patch_size") * self("projector.scale_factor", published))


def _area_layout(header: Mapping[str, Any], options: PixelOptions, projector: str) -> ImageSizing:
    values = _Values(header)
    smallest, largest = PUBLISHED_AREAS[projector]
    limits = options.pixel_limits(values("image_min_pixels", smallest), values("image_max_pixels", largest))
    sizing = ImageSizing(values("patch_size") * values("spatial_merge_size", 2), *limits)
    is_glm = projector == "glm4v"
    return sizing._replace(start="<|begin_of_image|>", end="<|end_of_image|>") if is_glm else sizing


def _patch_budget(values: _Values, options: PixelOptions) -> PatchBudget:
    factor = values.factor(3)
    tokens = values("image_max_pixels", GEMMA_TOKENS * factor**2) // factor**2
    if options.has_pixel_limits:
        tokens = limit_gemma_tokens(options, tokens, factor**2)
    return PatchBudget(factor, tokens * factor**2)


def _idefics_tiles(values: _Values) -> IdeficsTiles:
    tile = values("image_size")
    return IdeficsTiles(tile, values("preproc_image_size", 4 * tile), (tile // values.factor(2)) ** 2)


def _internvl_tiles(values: _Values) -> InternVlTiles:
    return InternVlTiles(values("image_size"), values("preproc_min_tiles", 1), values("preproc_max_tiles", 12))


def _lfm2_tiles(values: _Values) -> Lfm2Tiles:
    factor = values.factor(2)
    limits = values("image_min_pixels", 64 * factor**2), values("image_max_pixels", 256 * factor**2)
    tiles = values("preproc_tile_size", 512), values("preproc_min_tiles", 2), values("preproc_max_tiles", 10)
    return Lfm2Tiles(ImageSizing(factor, *limits), *tiles)


def _minicpm_slices(values: _Values) -> MiniCpmSlices:
    # The authors' code always rounds to both mergers, also where the file leaves one out.
    return MiniCpmSlices(values("image_size"), 4 * values("patch_size"), values("preproc_max_tiles", 9))
