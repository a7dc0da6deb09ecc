"""GIF, APNG, WebP, AVIF and TIFF files as videos: frames and times as a browser shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from anyanomaly import registry
from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.reader_options import ImageReaderOptions
from anyanomaly.errors import VideoError
from anyanomaly.types import Frame, Video
from tests.support.animations import CLEAR, RESTORE, Part, Pixels, shown, write_apng, write_gif

WIDTH, HEIGHT = 12, 9
COLOURS = ("red", "lime", "blue", "yellow", "black")


def read(path: Path, fps: float = 25.0) -> tuple[Video, list[Frame], str]:
    """Return the video, its frames, and the error at the end."""
    reader = ImageReader(ImageReaderOptions(fps=fps))
    video, frames = reader.probe(str(path)), []
    try:
        for frame in reader.frames(video):
            frames.append(frame)  # noqa: PERF402  # kept frame by frame: the end may raise
    except VideoError as error:
        return video, frames, str(error)
    return video, frames, ""


def assert_shown(path: Path, truth: list[Pixels], tolerance: int) -> None:
    _, frames, error = read(path)
    assert not error
    assert len(frames) == len(truth)
    for frame, image in zip(frames, truth, strict=True):
        assert frame.image.shape == image.shape
        assert np.abs(frame.image.astype(int) - image).max() <= tolerance


@st.composite
def areas(draw: st.DrawFn) -> tuple[int, int, int, int]:
    left, top = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 1))
    whole = draw(st.booleans())
    return (
        (0, 0, WIDTH, HEIGHT)
        if whole
        else (
            left,
            top,
            draw(st.integers(1, WIDTH - left)),
            draw(st.integers(1, HEIGHT - top)),
        )
    )


@st.composite
def gifs(draw: st.DrawFn) -> tuple[Pixels, list[Part]]:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    parts = []
    for left, top, width, height in draw(st.lists(areas(), min_size=2, max_size=5)):
        own_palette = random.integers(0, 256, (8, 3), np.uint8) if draw(st.booleans()) else None
        transparent = draw(st.sampled_from([None, 0, 5]))
        indices = random.integers(0, 8, (height, width), np.uint8)
        parts.append(Part(indices, left, top, draw(st.integers(0, 3)), 10, transparent, own_palette))
    return random.integers(0, 256, (8, 3), np.uint8), parts


@st.composite
def apngs(draw: st.DrawFn) -> list[Part]:
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    parts = []
    for index, area in enumerate(draw(st.lists(areas(), min_size=2, max_size=5))):
        left, top, width, height = area if index else (0, 0, WIDTH, HEIGHT)
        pixels = random.integers(0, 256, (height, width, 4), np.uint8)
        pixels[..., 3] = random.choice([0, 128, 255], (height, width))
        parts.append(Part(pixels, left, top, draw(st.sampled_from([0, CLEAR, RESTORE])), replace=draw(st.booleans())))
    return parts


FILES_ARE_OVERWRITTEN = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FILES_ARE_OVERWRITTEN
@given(content=gifs(), background=st.integers(0, 7))
def test_a_gif_is_shown_as_browsers_show_it(
    tmp_path: Path, content: tuple[Pixels, list[Part]], background: int
) -> None:
    palette, parts = content
    (tmp_path / "a.gif").write_bytes(write_gif(WIDTH, HEIGHT, palette, parts, background))
    assert_shown(tmp_path / "a.gif", shown(WIDTH, HEIGHT, parts, palette), tolerance=0)


@FILES_ARE_OVERWRITTEN
@given(parts=apngs(), has_default=st.booleans())
def test_an_animated_png_is_shown_as_browsers_show_it(tmp_path: Path, parts: list[Part], has_default: bool) -> None:
    default = np.full((HEIGHT, WIDTH, 4), 77, np.uint8) if has_default else None
    (tmp_path / "a.png").write_bytes(write_apng(WIDTH, HEIGHT, parts, default))
    assert_shown(tmp_path / "a.png", shown(WIDTH, HEIGHT, parts), tolerance=3)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 90}, {"lossless": True, "minimize_size": True}])
def test_an_animated_webp_is_shown_as_libwebp_shows_it(options: dict[str, object], tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    pictures = []
    for _ in range(6):
        pixels = np.zeros((30, 40, 4), np.uint8)
        left, top = random.integers(0, 20, 2)
        pixels[top : top + 10, left : left + 12] = [*random.integers(0, 256, 3), random.choice([128, 255])]
        pictures.append(Image.fromarray(pixels))
    path = tmp_path / "a.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=40, **options)
    truth = []
    with Image.open(path) as image:
        for index in range(image.n_frames):
            image.seek(index)
            page = Image.new("RGBA", image.size, "white")
            page.alpha_composite(image.convert("RGBA"))
            truth.append(np.asarray(page.convert("RGB")))
    assert_shown(path, truth, tolerance=2)


def save_colours(path: Path, **options: object) -> None:
    pictures = [Image.new("RGB", (32, 24), colour) for colour in COLOURS]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng", ".avif"])
def test_durations_are_kept_and_very_short_ones_are_shown_for_100_ms(suffix: str, tmp_path: Path) -> None:
    save_colours(tmp_path / f"a{suffix}", duration=[30, 500, 10, 0, 2000], loop=0)
    video, frames, error = read(tmp_path / f"a{suffix}")
    assert not error
    assert (video.id, video.n_frames, video.width, video.height) == ("a", 5, 32, 24)
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.03, 0.53, 0.63, 0.73])
    assert video.fps == pytest.approx(5 / 2.73)
    for frame, colour in zip(frames, COLOURS, strict=True):
        truth = np.asarray(Image.new("RGB", (1, 1), colour))[0, 0].astype(int)
        assert np.abs(frame.image - truth).max() <= 6


def test_a_step_gives_the_same_frames_as_reading_all(tmp_path: Path) -> None:
    save_colours(tmp_path / "a.gif", duration=[30, 500, 10, 0, 2000])
    reader = ImageReader(ImageReaderOptions())
    video = reader.probe(str(tmp_path / "a.gif"))
    frames = list(reader.frames(video))
    some = list(reader.frames(video, start=1, every=2))
    assert [(frame.index, frame.time_s) for frame in some] == [(1, frames[1].time_s), (3, frames[3].time_s)]
    assert np.array_equal(some[1].image, frames[3].image)


def test_a_first_part_larger_than_the_screen_gives_the_size(tmp_path: Path) -> None:
    palette = np.arange(24, dtype=np.uint8).reshape(8, 3)
    parts = [Part(np.full((9, 12), number, np.uint8)) for number in (1, 2)]
    (tmp_path / "a.gif").write_bytes(write_gif(1, 1, palette, parts))
    assert_shown(tmp_path / "a.gif", shown(12, 9, parts, palette), tolerance=0)


def test_pages_of_a_tiff_are_frames_and_smaller_copies_are_not(tmp_path: Path) -> None:
    pages = [Image.new("RGB", (40, 30), "red"), Image.new("RGB", (20, 15), "red"), Image.new("RGB", (30, 30), "blue")]
    pages[1].encoderinfo = {"tiffinfo": {254: 1}}
    for page in pages:
        page.encoderinfo = getattr(page, "encoderinfo", {})
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    _, frames, error = read(tmp_path / "a.tif", fps=10)
    assert not error
    assert [frame.time_s for frame in frames] == [0, 0.1]
    assert frames[1].image[15].tolist() == [[0, 0, 0]] * 5 + [[0, 0, 255]] * 30 + [[0, 0, 0]] * 5


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tif"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_frames_before_the_end_of_a_truncated_file_are_read(suffix: str, share: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 24, 32, 3), np.uint8)
    pictures = [Image.fromarray(pixels) for pixels in noise]
    path = tmp_path / f"a{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    whole = read(path)[1]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    _, frames, error = read(path)
    assert 8 * share - 1.5 < len(frames) <= 8 * share
    assert "1 of the " in error
    assert f"{path.name}, frame {len(frames)}, is damaged or incomplete" in error
    assert all(np.array_equal(frame.image, other.image) for frame, other in zip(frames, whole, strict=False))


def damage(content: bytes) -> bytes:
    """Change bytes in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes(byte ^ 255 for byte in content[middle : middle + 8]) + content[middle + 8 :]


@pytest.mark.parametrize("write", [lambda parts: write_apng(WIDTH, HEIGHT, parts)])
def test_a_damaged_frame_is_skipped_and_the_rest_is_read(write: Callable[[list[Part]], bytes], tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    parts = [Part(random.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8), replace=True) for _ in range(5)]
    (tmp_path / "a.png").write_bytes(damage(write(parts)))
    _, frames, error = read(tmp_path / "a.png")
    assert [frame.index for frame in frames] == [0, 1, 3, 4]
    assert "1 of the 5 images" in error
    assert "frame 2, is damaged" in error


def test_an_animation_that_is_too_large_is_refused_before_it_is_drawn(tmp_path: Path) -> None:
    parts = [Part(np.zeros((2, 2), np.uint8))] * 2
    (tmp_path / "a.gif").write_bytes(write_gif(60_000, 60_000, np.zeros((8, 3), np.uint8), parts))
    with pytest.raises(VideoError, match="60000 x 60000 pixels, more than the 25 million"):
        read(tmp_path / "a.gif")


@pytest.mark.parametrize("name", ["a.gif", "a.GIF", "a.webp", "a.apng", "a.png", "a.tiff", "a.jpg"])
def test_image_files_are_read_by_the_reader_of_images(name: str) -> None:
    assert registry.load().reader_for(name).name == "images"


@pytest.mark.parametrize(
    "change",
    [
        lambda gif: gif[:-1],  # without its trailer
        lambda gif: gif[:-1] + bytes(30),
        lambda gif: gif + b"junk",
        lambda gif: gif[:37] + b"!\xfe\x05hello\0" + gif[37:],  # a comment before the first block
        lambda gif: gif[:37] + bytes(3) + gif[37:],
        lambda gif: b"GIF87a" + gif[6:],
    ],
)
def test_gifs_that_browsers_accept_are_read_in_full(change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    palette = np.repeat(np.arange(8, dtype=np.uint8)[:, None] * 30, 3, axis=1)
    parts = [Part(np.full((HEIGHT, WIDTH), number, np.uint8)) for number in range(3)]
    (tmp_path / "a.gif").write_bytes(change(write_gif(WIDTH, HEIGHT, palette, parts)))
    assert_shown(tmp_path / "a.gif", shown(WIDTH, HEIGHT, parts, palette), tolerance=0)
