"""Codecs, pixel formats and containers: every frame, in order, at its time, in its colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shared import shared
from tests.videos.making import write_video
from tests.videos.marks import colour_error, draw
from tests.videos.reading import assert_complete, read

N_FRAMES = 12
X265 = {"x265-params": "log-level=none"}
KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264.mp4": ("libx264", "yuv420p", {}),
    "h264.flv": ("libx264", "yuv420p", {}),
    "h264.avi": ("libx264", "yuv420p", {"bf": "0"}),
    "h264-b.avi": ("libx264", "yuv420p", {"bf": "3"}),
    "h264-10-bit.mkv": ("libx264", "yuv420p10le", {}),
    "h264-444.mp4": ("libx264", "yuv444p", {}),
    "h264-rgb.mkv": ("libx264rgb", "rgb24", {}),
    "h264-open-gop.ts": ("libx264", "yuv420p", {"x264-params": "open-gop=1:keyint=5:bframes=3"}),
    "hevc.mp4": ("libx265", "yuv420p", X265),
    "hevc.ts": ("libx265", "yuv420p", X265),
    "hevc-10-bit.mkv": ("libx265", "yuv420p10le", X265),
    "hevc-12-bit.mp4": ("libx265", "yuv422p12le", X265),
    "av1.webm": ("libsvtav1", "yuv420p", {"preset": "12"}),
    "av1-10-bit.mp4": ("libsvtav1", "yuv420p10le", {"preset": "12"}),
    "av1.ivf": ("libsvtav1", "yuv420p", {"preset": "12"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {}),
    "vp9-444.mp4": ("libvpx-vp9", "yuv444p", {}),
    "vp9-alpha.webm": ("libvpx-vp9", "yuva420p", {}),
    "vp8.webm": ("libvpx", "yuv420p", {}),
    "mpeg4.avi": ("mpeg4", "yuv420p", {}),
    "mpeg4-b.avi": ("mpeg4", "yuv420p", {"bf": "2"}),
    "mpeg4-b.mkv": ("mpeg4", "yuv420p", {"bf": "2"}),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", {"bf": "2"}),
    "mpeg2-422.mxf": ("mpeg2video", "yuv422p", {}),
    "mpeg1.mpg": ("mpeg1video", "yuv420p", {}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "mjpeg-422.mov": ("mjpeg", "yuvj422p", {}),
    "prores.mov": ("prores_ks", "yuv422p10le", {}),
    "prores-alpha.mov": ("prores_ks", "yuva444p10le", {"profile": "4444"}),
    "ffv1.mkv": ("ffv1", "yuv420p", {}),
    "ffv1-alpha.mkv": ("ffv1", "bgra", {}),
    "png.mov": ("png", "rgba", {}),
    "palette.gif": ("gif", "rgb8", {}),
    "huffyuv.avi": ("huffyuv", "yuv422p", {}),
    "utvideo.avi": ("utvideo", "yuv420p", {}),
    "jpeg2000.mkv": ("jpeg2000", "yuv420p", {}),
    "raw.avi": ("rawvideo", "bgr24", {}),
    "raw.y4m": ("wrapped_avframe", "yuv420p", {}),
    "v210.mov": ("v210", "yuv422p10le", {}),
    "cfhd.mov": ("cfhd", "yuv422p10le", {}),
    "cinepak.avi": ("cinepak", "rgb24", {}),
    "wmv2.asf": ("wmv2", "yuv420p", {}),
    "msmpeg4.avi": ("msmpeg4", "yuv420p", {}),
    "flv1.flv": ("flv", "yuv420p", {}),
    "rv20.rm": ("rv20", "yuv420p", {}),
    "svq1.mov": ("svq1", "yuv410p", {}),
}
"""File name to encoder, pixel format and encoder options."""


@pytest.mark.parametrize("name", KINDS)
def test_every_frame_is_read_in_order_at_its_time_in_its_colours(name: str, tmp_path: Path) -> None:
    codec, pix_fmt, options = KINDS[name]
    reading = read(write_video(tmp_path / name, N_FRAMES, codec=codec, pix_fmt=pix_fmt, options=options))
    assert_complete(reading, N_FRAMES)
    assert max(map(colour_error, reading.images)) < 12


def test_case_av1() -> None:
    reading = read(shared("cases", "video", "av1.mp4"))
    assert (len(reading.frames), reading.frames[0].image.shape) == (25, (240, 320, 3))
    assert reading.times_s == pytest.approx([number / 25 for number in range(25)])
    assert not reading.complaint


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("8-bit.mkv", "ffv1", "gray"),
        ("10-bit.mkv", "ffv1", "gray10le"),
        ("16-bit.mkv", "ffv1", "gray16le"),
        ("h264.mp4", "libx264", "gray"),
        ("hevc.mp4", "libx265", "gray"),
        ("png.mov", "png", "gray"),
    ],
)
def test_grey_video_stays_grey(name: str, codec: str, pix_fmt: str, tmp_path: Path) -> None:
    options = X265 if codec == "libx265" else {}
    reading = read(write_video(tmp_path / name, 5, codec=codec, pix_fmt=pix_fmt, options=options))
    assert reading.numbers == [0, 1, 2, 3, 4]
    image = reading.images[1].astype(int)
    assert abs(image - image[:, :, :1]).max() <= 2
    assert image[30, 10].min() > 230  # the first bit of 1; a decoder may take the grey of H.264 for limited range
    assert image[30, 30].max() < 20


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("mpeg4.mp4", "mpeg4", "yuv420p"),
        ("mjpeg.avi", "mjpeg", "yuvj420p"),
        ("vp9.webm", "libvpx-vp9", "yuv420p"),
        ("ffv1.mkv", "ffv1", "yuv420p"),
        ("ffv1-422.mkv", "ffv1", "yuv422p"),
        ("h264.mp4", "libx264", "yuv444p"),
    ],
)
@pytest.mark.parametrize("size", [(161, 127), (131, 99)])
def test_odd_sizes_are_kept(name: str, codec: str, pix_fmt: str, size: tuple[int, int], tmp_path: Path) -> None:
    reading = read(write_video(tmp_path / name, 5, codec=codec, pix_fmt=pix_fmt, size=size))
    assert_complete(reading, 5)
    assert (reading.video.width, reading.video.height) == size
    error = abs(reading.images[3].astype(int) - draw(3, size))
    assert error[:, -1].mean() < 20, "the last column is that of the picture"
    assert error[-1].mean() < 20


@pytest.mark.parametrize(
    ("name", "codec"),
    [("h264.mp4", "libx264"), ("hevc.mkv", "libx265"), ("av1.webm", "libsvtav1"), ("mpeg2.ts", "mpeg2video")],
)
def test_the_number_of_threads_changes_nothing(name: str, codec: str, tmp_path: Path) -> None:
    options = {"libx265": X265, "libsvtav1": {"preset": "12"}}.get(codec, {"bf": "2"})
    path = write_video(tmp_path / name, 40, codec=codec, options=options, size=(320, 240))
    one, many = read(path, threads=1), read(path, threads=5)
    assert one.times_s == many.times_s
    assert all((left == right).all() for left, right in zip(one.images, many.images, strict=True))
