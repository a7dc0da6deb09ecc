"""Compare readers on many video files: ours, ffprobe, and OpenCV, which read videos before.

    python benchmarks/readers/compare.py [--cases FOLDER ...] [--only NAME ...] [--record]

Files are made with the system's ffmpeg. A line that starts with ! differs between the readers; the reason stands in it.
Times are seconds behind the first frame. ffprobe's size is as shown: with square pixels, turned.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))

from made_files import COMBINATIONS, ODD_FILES, make_file
from opencv_reader import opencv_frames
from reasons import reason
from results import add_record_options, record, table

from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import VideoReaderOptions
from anyanomaly.errors import VideoError

CORNERS = np.array([(255, 0, 0), (0, 255, 0), (255, 255, 0), (0, 0, 255)], float)
"""Colours of the made files' corners, clockwise from the top left."""
MAX_COLOUR_ERROR = 60.0
"""Mean difference of the corners' colours, in grey levels, up to which they are recognised."""
TIME_TOLERANCE_S = 0.0025
EQUAL_LEVELS = 2
"""Differences of pixels up to this need no reason, grey levels."""


@dataclass(frozen=True)
class Summary:
    """What a reader says of a file."""

    n_frames: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    size: tuple[int, int] = (0, 0)
    orientation: str = "-"

    def __str__(self) -> str:
        if not self.n_frames:
            return "no frame"
        times = f"{self.first_s:.2f} to {self.last_s:.2f} s"
        return f"{self.n_frames}, {times}, {self.size[0]}x{self.size[1]}, {self.orientation}"

    def equals(self, reference: Summary) -> bool:
        """Return whether two readers agree; an unknown orientation agrees with all."""
        is_same_time = (
            max(abs(self.last_s - reference.last_s), abs(self.first_s - reference.first_s)) <= TIME_TOLERANCE_S
        )
        is_same_shape = self.size == reference.size and (
            self.orientation == reference.orientation or "-" in (self.orientation, reference.orientation)
        )
        return self.n_frames == reference.n_frames and is_same_time and is_same_shape


def summarise(frames: Iterable[tuple[float, Any]], has_corners: bool) -> Summary:
    """Summarise frames: times in seconds and images (H, W, 3), RGB."""
    times_s: list[float] = []
    last_image: Any = None
    for time_s, image in frames:
        times_s.append(time_s)
        last_image = image
    if last_image is None:
        return Summary()
    height, width, _ = last_image.shape
    direction = orientation(last_image) if has_corners else "-"
    return Summary(len(times_s), times_s[0], times_s[-1], (width, height), direction)


def pixel_difference(path: Path) -> int:
    """Return the largest difference between the pixels of our frames and of OpenCV's, in grey levels."""
    pairs = zip(own_frames(path, []), opencv_frames(path), strict=True)
    return max(int(cv2.absdiff(own_image, old_image).max()) for (_, own_image), (_, old_image) in pairs)


def orientation(image: Any) -> str:
    """Return to which side the top of an image with coloured corners is turned, and whether it is mirrored."""
    corners = np.array([image[15, 15], image[15, -16], image[-16, -16], image[-16, 15]], float)
    names = {}
    for quarter, name in enumerate(("upright", "turned right", "upside down", "turned left")):
        names[name] = np.roll(CORNERS, quarter, axis=0)
        names[f"{name}, mirrored"] = np.roll(CORNERS[[1, 0, 3, 2]], quarter, axis=0)
    distances = {name: np.abs(colours - corners).mean() for name, colours in names.items()}
    best = min(distances, key=lambda name: distances[name])
    return best if distances[best] < MAX_COLOUR_ERROR else "no corners"


def own_frames(path: Path, complaints: list[str]) -> Iterator[tuple[float, Any]]:
    """Yield times and images of our reader; add what it complains about at the end."""
    reader = VideoReader(VideoReaderOptions(max_side=0))
    try:
        for frame in reader.frames(reader.probe(str(path))):
            yield frame.time_s, frame.image
    except VideoError as error:
        complaints.append(str(error).replace(str(path), "it"))


def ffprobe(path: Path) -> Summary:
    """Return what ffprobe says after decoding all frames of the first video stream."""
    entries = "frame=best_effort_timestamp_time:stream=width,height,sample_aspect_ratio:stream_side_data=rotation"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", entries]
    process = subprocess.run([*command, "-of", "json", str(path)], capture_output=True, text=True)
    answer = json.loads(process.stdout or "{}")
    frames = answer.get("frames", [])
    if not frames:
        return Summary()
    times = [frame.get("best_effort_timestamp_time") for frame in frames]
    times_s = [float(time) for time in times if time is not None] or [0.0]
    stream = answer["streams"][0]
    size = stream["width"], stream["height"]
    ratio = Fraction(stream.get("sample_aspect_ratio", "1:1").replace(":", "/").replace("0/1", "1"))
    size = (round(size[0] * ratio), size[1]) if ratio >= 1 else (size[0], round(size[1] / ratio))
    rotation = next((int(data["rotation"]) for data in stream.get("side_data_list", []) if "rotation" in data), 0)
    if rotation % 180:
        size = size[::-1]
    return Summary(len(frames), 0.0, times_s[-1] - times_s[0], size, "-")


def compare(path: Path, has_corners: bool) -> dict[str, str]:
    """Return a row of the table."""
    complaints: list[str] = []
    own = summarise(own_frames(path, complaints), has_corners)
    probe = ffprobe(path)
    old = summarise(opencv_frames(path), has_corners)
    differing = [name for name, summary in (("ffprobe", probe), ("OpenCV", old)) if not own.equals(summary)]
    notes = [f"{name}: {reason(path.name, name)}" for name in differing]
    is_comparable = own.n_frames > 0 and (own.n_frames, own.size) == (old.n_frames, old.size)
    difference = pixel_difference(path) if is_comparable else None
    if difference is not None and difference > EQUAL_LEVELS:
        notes.append(f"pixels: {reason(path.name, 'pixels')}")
    notes += [f"ours says: {complaint}" for complaint in complaints]
    return {
        "file": f"! {path.name}" if differing else path.name,
        "ours": str(own),
        "ffprobe": "same" if own.equals(probe) else str(probe),
        "OpenCV": "same" if own.equals(old) else str(old),
        "pixels": "-" if difference is None else str(difference),
        "reason": "; ".join(notes),
    }


def main() -> None:
    """Make files, compare, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, nargs="+", default=[], help="folders of more video files")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these made files")
    add_record_options(parser)
    arguments = parser.parse_args()
    names = arguments.only or [*COMBINATIONS, *ODD_FILES]
    with tempfile.TemporaryDirectory() as folder:
        rows = [compare(make_file(name, Path(folder)), has_corners=True) for name in names]
    cases = [path for folder in arguments.cases for path in sorted(folder.iterdir())]
    rows += [compare(path, has_corners=False) for path in cases]
    n_different = sum(row["file"].startswith("!") for row in rows)
    version = subprocess.run(["ffprobe", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
    about = (
        f"Frames, time of the first and the last frame, size and orientation as each reader gives them: {len(rows)} "
        f"files, of which {n_different} are read differently (marked !, with the reason). ffprobe {version}; times are "
        f"seconds behind the first frame; the size of ffprobe is as shown: with square pixels, and turned. "
        f"Pixels: largest difference between all frames of ours and OpenCV's, in grey levels."
    )
    print(about, table(rows), sep="\n\n")
    if arguments.record:
        record("readers", "Readers of videos", f"{about}\n\n{table(rows)}", arguments.results)


if __name__ == "__main__":
    main()
