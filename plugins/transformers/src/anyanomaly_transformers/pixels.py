"""The limits of an image's area, in the terms of each family's image processor."""

from __future__ import annotations

from typing import Any

from anyanomaly.kit import PixelOptions, limit_gemma_tokens, no_area_error


def limit_pixels(image_processor: Any, options: PixelOptions, model: str) -> dict[str, Any]:
    """Set the user's limits of an image's area in an image processor; return them as its arguments.

    Qwen-VL and GLM-4.xV keep least and most pixels, Gemma 4 the number of image tokens.

    :param model: starts the message: "Model 'owner/name'".
    :raises UsageError: when the model does not size images by their area, or takes none within the limits.
    """
    size = dict(getattr(image_processor, "size", None) or {})
    if hasattr(image_processor, "max_soft_tokens"):
        pixels_per_token = (image_processor.patch_size * image_processor.pooling_kernel_size) ** 2
        image_processor.max_soft_tokens = limit_gemma_tokens(options, image_processor.max_soft_tokens, pixels_per_token)
        return {"max_soft_tokens": image_processor.max_soft_tokens}
    if not hasattr(image_processor, "merge_size") or "longest_edge" not in size:
        raise no_area_error(model)
    # These image processors store the area limits, in pixels, under the names of edges. GLM's counts an image as a
    # video of as many equal frames as it merges into one.
    is_glm = type(image_processor).__name__.startswith("Glm4")
    frames = image_processor.temporal_patch_size if is_glm else 1
    low, high = options.pixel_limits(size["shortest_edge"] // frames, size["longest_edge"] // frames)
    image_processor.size = size | {"shortest_edge": low * frames, "longest_edge": high * frames}
    return {"size": image_processor.size} if is_glm else {"min_pixels": low, "max_pixels": high}
