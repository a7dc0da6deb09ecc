"""Make the pictures of the documentation from real runs: ``python docs/pictures.py FOLDER [--work FOLDER]``.

Draws a clip of the demo, searches it with the demo's models, and photographs the outputs in Chromium. Needs ffmpeg,
chromium, playwright and the extra ``report``. The second folder keeps the outputs of the runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import terminal

if TYPE_CHECKING:
    from PIL import Image

TEXTS = ("bicycle", "stroller")
PLAYED_S = 13.4  # where the player of the report stands
WIDTH = 1180  # of the pages, pixels
MARGIN = 10  # around what is shown, pixels
ANIMATION_S = (9.5, 16.0)  # part of the annotated video: before an event, and the event
FRAME_STEP = 2  # the animation has every second frame
PIXELS_PER_POINT = 1.5  # sharp on screens of high resolution
GATED = ("--gate", "motion", "--budget", "25%")
EVALUATION = ("eval", "demo", "--backend", "similarity", "--encoder", "demo-clip", "--dataset.n-videos", "8")


def make_outputs(work: Path) -> None:
    """Run the commands whose outputs are shown."""
    terminal.write_clips(work)
    clip = work / "cam.mp4"
    # H.264, as most videos are: then the report needs no copy of it
    convert = ["ffmpeg", "-v", "error", "-y", "-i", str(work / "appearance.mp4"), "-c:v", "libx264", "-g", "24"]
    subprocess.run([*convert, "-crf", "14", "-pix_fmt", "yuv420p", str(clip)], check=True)
    texts = [argument for text in TEXTS for argument in ("-t", text)]
    outputs = ("results.jsonl", "report.html", "annotated.mp4", "timeline.svg")
    names = [argument for name in outputs for argument in ("-o", name)]
    _anyanomaly(work, "--config", "settings.toml", "run", "cam.mp4", *texts, *names, "--clips", "clips")
    _anyanomaly(work, "--config", "settings.toml", "show", "cam.mp4", "-t", "stroller", "--at", "12.5", "-d", "segment")
    _anyanomaly(work, "--config", "settings.toml", "run", "cam.mp4", *texts, *GATED, "-o", "gated.html")
    _anyanomaly(work, *EVALUATION, "-o", "mistakes.html")


def _anyanomaly(work: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "anyanomaly", *arguments], cwd=work, check=True)


@contextmanager
def open_browser() -> Iterator[Any]:
    """Yield a function from a path and a colour scheme to a page that is open."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])

        def open_page(path: Path, scheme: str) -> Any:
            context = browser.new_context(
                viewport={"width": WIDTH, "height": 1000},
                color_scheme=scheme,
                device_scale_factor=PIXELS_PER_POINT,
                reduced_motion="reduce",
                bypass_csp=True,  # to wait for conditions
            )
            page = context.new_page()
            page.goto(path.resolve().as_uri())
            return page

        yield open_page
        browser.close()


def photograph_pages(work: Path, folder: Path) -> None:
    """Write the pictures of reports and of the page of ``show``, light and dark, and of the worst mistakes."""
    with open_browser() as open_page:
        for scheme in ("light", "dark"):
            page = open_page(work / "report.html", scheme)
            _play_to(page, PLAYED_S)
            _save(page, "body", ".event:last-child", folder / f"report-{scheme}.png")
            page.locator(".event:last-child .evidence > summary").click()
            _save(page, ".event:last-child", ".event:last-child .ev-frames", folder / f"event-{scheme}.png")
            page = open_page(work / "gated.html", scheme)
            _draw_timelines(page)
            _save(page, ".findings", ".timeline >> nth=-1", folder / f"unasked-{scheme}.png")
            page = open_page(work / "segment" / "index.html", scheme)
            contexts = ".ev-exchange:nth-of-type(2)", ".ev-exchange:nth-of-type(3)"
            _save(page, *contexts, folder / f"show-{scheme}.png")
        page = open_page(work / "mistakes.html", "light")
        _save(page, "section[aria-labelledby=mistakes]", "ol.mistakes >> nth=1", folder / "mistakes.png")


def _play_to(page: Any, time_s: float) -> None:
    """Wait for the timelines, and move the player."""
    _draw_timelines(page)
    page.wait_for_function("document.querySelector('video').readyState > 1")
    page.evaluate("time => { document.querySelector('video').currentTime = time }", time_s)
    page.wait_for_function("(v => !v.seeking && v.readyState === 4)(document.querySelector('video'))")
    page.wait_for_timeout(1000)  # the cursor follows, and the browser's sign of loading goes


def _draw_timelines(page: Any) -> None:
    """Wait until the timelines are drawn."""
    page.locator(".plot").last.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.plot:not(.drawn)') === null")


def _save(page: Any, first: str, last: str, path: Path) -> None:
    """Write the part of a page from the top of one element to the bottom of another one, as wide as the first one."""
    import io

    from PIL import Image

    begin, end = (page.locator(name).first.bounding_box() for name in (first, last))
    left, top = max(begin["x"] - MARGIN, 0), begin["y"] + page.evaluate("scrollY")
    size = {"width": begin["width"] + 2 * MARGIN, "height": end["y"] + end["height"] - begin["y"] + MARGIN}
    screenshot = page.screenshot(clip={"x": left, "y": top, **size}, full_page=True)
    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def animate(video: Path, path: Path) -> None:
    """Write a part of a video as an animated WebP."""
    frames = list(_frames(video))
    first_frame, *next_frames = frames
    step_ms = round(1000 * (ANIMATION_S[1] - ANIMATION_S[0]) / len(frames))
    first_frame.save(path, save_all=True, append_images=next_frames, duration=step_ms, loop=0, quality=60, method=6)


def _frames(video: Path) -> Iterator[Image.Image]:
    import av

    with av.open(str(video)) as source:
        for number, frame in enumerate(source.decode(video=0)):
            if number % FRAME_STEP == 0 and ANIMATION_S[0] <= (frame.time or 0) < ANIMATION_S[1]:
                yield frame.to_image()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the commands and write all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for the pictures")
    parser.add_argument("--work", type=Path, help="folder that keeps the outputs; outputs in it are used again")
    options = parser.parse_args(arguments)
    os.environ |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        work = options.work or Path(place)
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "mistakes.html").exists():
            make_outputs(work)
        photograph_pages(work, options.folder)
        animate(work / "annotated.mp4", options.folder / "annotated.webp")
        shutil.copyfile(work / "timeline.svg", options.folder / "timeline.svg")
        terminal.main(options.folder, terminal.TEXTS)


if __name__ == "__main__":
    main()
