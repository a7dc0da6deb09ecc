"""Colours: ranges, matrices, transparency, and high dynamic range shown on a normal screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from tests.videos.marks import COLOURS, SIZE, Picture, colour_error, draw
from tests.videos.reading import read

X265 = {"x265-params": "log-level=none"}
BT2020_NCL = 9
"""The matrix BT.2020 without constant luminance, in the numbers of H.273, which PyAV has no name for."""
HDR_WHITE_NITS = 203.0
"""Luminance of white paper in high dynamic range (ITU-R BT.2408)."""


def tagged(space: Colorspace, colour_range: ColorRange, pix_fmt: str) -> tuple[list[av.VideoFrame], Any]:
    """Return frames of a matrix and range, and what declares them in a stream."""
    frames = [
        av.VideoFrame.from_ndarray(draw(number), format="rgb24").reformat(
            format=pix_fmt, dst_colorspace=space, dst_color_range=colour_range
        )
        for number in range(5)
    ]

    def declare(stream: Any) -> None:
        stream.codec_context.colorspace = int(space)
        stream.codec_context.color_range = int(colour_range)

    return frames, declare


@pytest.mark.parametrize("colour_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("space", [Colorspace.ITU709, Colorspace.ITU601, Colorspace.SMPTE240M])
@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("c.mp4", "libx264", "yuv420p"),
        ("c.mkv", "libx264", "yuv444p"),
        ("c.mp4", "libx265", "yuv420p10le"),
        ("c.webm", "libvpx-vp9", "yuv420p"),
    ],
)
def test_the_declared_matrix_and_range_are_used(
    name: str, codec: str, pix_fmt: str, space: Colorspace, colour_range: ColorRange, tmp_path: Path
) -> None:
    frames, declare = tagged(space, colour_range, pix_fmt)
    path = write_frames(tmp_path / name, frames, codec, pix_fmt, X265 if codec == "libx265" else {}, declare)
    reading = read(path)
    assert reading.numbers == list(range(5))
    assert max(map(colour_error, reading.images)) < 10


def write_frames(
    path: Path, frames: list[av.VideoFrame], codec: str, pix_fmt: str, options: dict[str, str], declare: Any
) -> Path:
    """Encode frames that are in their pixel format already."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = *SIZE, pix_fmt, options
        declare(stream)
        for number, frame in enumerate(frames):
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("codec", "name"), [("png", "a.mov"), ("ffv1", "a.mkv"), ("qtrle", "a.mov")])
def test_what_is_opaque_keeps_its_colour_beside_transparent_parts(codec: str, name: str, tmp_path: Path) -> None:
    pix_fmt = {"png": "rgba", "ffv1": "bgra", "qtrle": "argb"}[codec]
    frames = []
    for number in range(3):
        picture = np.dstack([draw(number), np.full(SIZE[::-1], 255, np.uint8)])
        picture[80:, 40:90] = (255, 0, 255, 0)
        frames.append(av.VideoFrame.from_ndarray(picture, format="rgba").reformat(format=pix_fmt))
    reading = read(write_frames(tmp_path / name, frames, codec, pix_fmt, {}, lambda _: None))
    assert reading.numbers == [0, 1, 2]
    assert max(map(colour_error, reading.images)) < 4


def to_hdr(picture: Picture, transfer: str) -> npt.NDArray[np.float64]:
    """Return an sRGB picture as signal of BT.2100, (H, W, 3) in [0, 1], with its white at 203 nits.

    Matrices and curves are those of BT.2020, BT.2100 and BT.2408.
    """
    linear = (picture / 255.0) ** 2.2
    to_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    nits = HDR_WHITE_NITS * linear @ to_2020.T
    if transfer == "pq":
        power = (nits / 10_000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    luma = nits @ np.array([0.2627, 0.6780, 0.0593])
    scene = nits / 1000 * (np.maximum(luma, 1e-6) / 1000)[..., None] ** (1 / 1.2 - 1)  # inverse of the system gamma
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-6)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def hdr_frame(signal: npt.NDArray[np.float64]) -> av.VideoFrame:
    """Return a signal as a frame of 10 bit, limited range, BT.2020 non-constant luminance."""
    red, green, blue = np.moveaxis(signal, 2, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    chroma = [(blue - luma) / 1.8814, (red - luma) / 1.4746]
    planes = [np.round(64 + 876 * luma)]
    for plane in chroma:
        height, width = plane.shape
        mean = plane.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        planes.append(np.round(512 + 896 * mean))
    frame = av.VideoFrame(SIZE[0], SIZE[1], "yuv420p10le")
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.shape[0], target.line_size // 2), np.uint16)
        rows[:, : plane.shape[1]] = plane
        target.update(rows.tobytes())
    return frame


def write_hdr(path: Path, codec: str, transfer: str) -> Path:
    """Write four numbered frames as PQ or HLG, 10 bit."""

    def declare(stream: Any) -> None:
        context = stream.codec_context
        context.colorspace, context.color_range = BT2020_NCL, int(ColorRange.MPEG)
        context.color_primaries = int(ColorPrimaries.BT2020)
        context.color_trc = int(ColorTrc.SMPTE2084 if transfer == "pq" else ColorTrc.ARIB_STD_B67)

    frames = [hdr_frame(to_hdr(draw(number), transfer)) for number in range(4)]
    options = {"libx265": X265, "libsvtav1": {"preset": "10"}}.get(codec, {})
    return write_frames(path, frames, codec, "yuv420p10le", options, declare)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
@pytest.mark.parametrize(("name", "codec"), [("hdr.mp4", "libx265"), ("hdr.mkv", "libx264"), ("hdr.webm", "libsvtav1")])
def test_high_dynamic_range_looks_like_the_scene(name: str, codec: str, transfer: str, tmp_path: Path) -> None:
    reading = read(write_hdr(tmp_path / name, codec, transfer))
    assert reading.numbers == list(range(4))
    image = reading.images[1].astype(float)
    assert image[30:40, 4:16].mean() > 175, "white looks white"
    assert image[30:40, 26:38].mean() < 40, "black looks black"
    grey = image[4:16, 50:80].mean(axis=(0, 1))
    assert grey.mean() == pytest.approx(128, abs=40), "grey looks grey"
    assert np.ptp(grey) < 12, "grey has no colour"
    parts = (image[4:16, 4:14], image[4:16, -14:-4], image[-16:-4, -14:-4], image[-16:-4, 4:14])
    for (colour_name, right), part in zip(COLOURS.items(), parts, strict=True):
        colour = part.mean(axis=(0, 1))
        assert np.abs(colour - right).max() < 70, colour_name
        assert np.corrcoef(colour, right)[0, 1] > 0.9, colour_name


def test_a_scaled_picture_shows_the_same_colours(tmp_path: Path) -> None:
    path = write_hdr(tmp_path / "hdr.mp4", "libx265", "pq")
    large, small = read(path), read(path, max_side=64)
    assert small.images[1].shape == (48, 64, 3)
    assert np.abs(small.images[1][2:8, 25:40].mean((0, 1)) - large.images[1][4:16, 50:80].mean((0, 1))).max() < 6
