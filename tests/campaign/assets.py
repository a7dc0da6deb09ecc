"""Sound videos and images that the cases damage: many containers, codecs and formats; made once per campaign."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

N_FRAMES = 16
SIZE = (64, 48)

_VIDEOS = {
    "h264.mp4": ("libx264", "yuv420p"),
    "mpeg4.mp4": ("mpeg4", "yuv420p"),
    "h264.mkv": ("libx264", "yuv420p"),
    "ffv1.mkv": ("ffv1", "yuv420p"),
    "vp8.webm": ("libvpx", "yuv420p"),
    "mjpeg.avi": ("mjpeg", "yuvj420p"),
    "h264.mov": ("libx264", "yuv420p"),
    "mpeg2.ts": ("mpeg2video", "yuv420p"),
    "flv1.flv": ("flv1", "yuv420p"),
    "mpeg1.mpg": ("mpeg1video", "yuv420p"),
}
_IMAGES = ("png", "jpg", "webp", "bmp", "tiff", "gif", "ppm")
_ANIMATIONS = {"gif": {}, "webp": {"lossless": True}, "png": {"default_image": False}}


def make_assets(folder: Path) -> Path:
    """Write all videos and images, in a process of their own: encoders start threads, which forks do not survive."""
    process_id = os.fork()
    if not process_id:
        code = 1
        try:
            folder.mkdir(parents=True)
            for name, (codec, layout) in _VIDEOS.items():
                _write_video(folder / name, codec, layout)
            _write_images(folder)
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(process_id, 0)[1]:
        raise RuntimeError("the videos and images of the campaign cannot be written")
    return folder


def pictures() -> Iterator[np.ndarray]:
    """Yield the frames (48, 64, 3): a bright square on grey texture that moves and changes its level."""
    rng = np.random.default_rng(0)
    background = rng.integers(60, 120, (SIZE[1], SIZE[0], 1), dtype=np.uint8).repeat(3, axis=2)
    for index in range(N_FRAMES):
        picture = background.copy()
        picture[8:24, 2 * index : 2 * index + 16] = (40 + 12 * index, 20, 20)
        yield picture


def _write_video(path: Path, codec: str, layout: str) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = layout
        stream.thread_count = 1
        for picture in pictures():
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _write_images(folder: Path) -> None:
    images = [Image.fromarray(picture) for picture in pictures()]
    for suffix in _IMAGES:
        images[0].save(folder / f"image.{suffix}")
    for suffix, options in _ANIMATIONS.items():
        images[0].save(
            folder / f"animation.{suffix}", save_all=True, append_images=images[1:], duration=40, loop=0, **options
        )
    for index, image in enumerate(images[:8]):
        target = io.BytesIO()
        image.save(target, "png")
        (folder / "frames").mkdir(exist_ok=True)
        (folder / "frames" / f"frame_{index}.png").write_bytes(target.getvalue())
