"""Measure how fast videos are decoded: our reader beside OpenCV, which read videos before, and ffmpeg alone.

    python benchmarks/readers/decoding.py VIDEO [--seconds S] [--repeats N] [--record]

VIDEO is repeated, scaled and encoded with the system's ffmpeg: 1080p H.264 and 720p HEVC, 25 frames per second. The
readers convert to RGB and scale to their default of 720 pixels; ffmpeg only decodes (``-f null``). Each run is a
process of its own, and the readers take turns, so that another load of the machine meets all of them.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))

from opencv_reader import opencv_frames
from results import add_record_options, record, table

from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import VideoReaderOptions

FILES = {
    "1080p H.264": (1920, 1080, "-c:v libx264 -preset fast -crf 21 -pix_fmt yuv420p"),
    "720p HEVC": (1280, 720, "-c:v libx265 -preset fast -crf 23 -pix_fmt yuv420p -x265-params log-level=none"),
}
"""Name to width, height in pixels, and options of ffmpeg's encoder."""
READERS = ("ours", "OpenCV", "ffmpeg")


@dataclass(frozen=True)
class Run:
    """One run of a reader over a file."""

    n_frames: int  # 0: unknown
    wall_s: float
    cpu_s: float
    peak_mib: float


def make_file(video: Path, name: str, seconds: float, folder: Path) -> Path:
    """Encode a video, repeated, in one of ``FILES``."""
    width, height, encoder = FILES[name]
    path = folder / f"{name.replace(' ', '-')}.mp4"
    filters = f"setpts=N/25/TB,scale={width}:{height}:flags=bicubic"
    options = ["-vf", filters, "-r", "25", "-t", str(seconds), "-an", *encoder.split()]
    _ffmpeg("-stream_loop", "-1", "-i", str(video), *options, str(path))
    return path


def repeat_file(path: Path, times: int) -> Path:
    """Write a file that holds another one several times, without encoding."""
    target = path.with_name(f"{path.stem}-{times}-times.mp4")
    _ffmpeg("-stream_loop", str(times - 1), "-i", str(path), "-c", "copy", str(target))
    return target


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-y", "-v", "error", *arguments], check=True, stdin=subprocess.DEVNULL)


def measure(reader: str, path: Path) -> Run:
    """Measure one run in a process of its own, without its start."""
    if reader != "ffmpeg":
        command = [sys.executable, __file__, str(path), "--read-with", reader]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        n_frames, *measures = output.split()
        return Run(int(n_frames), *map(float, measures))
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"ffmpeg failed on {path.name}.")
    return Run(0, time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def read_all(reader: str, path: Path) -> Run:
    """Read a file in this process with one of the readers."""
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    if reader == "OpenCV":
        n_frames = sum(1 for _ in opencv_frames(path, max_side=720))
    else:
        own = VideoReader(VideoReaderOptions())
        n_frames = sum(1 for _ in own.frames(own.probe(str(path))))
    wall_s, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    return Run(n_frames, wall_s, cpu_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def compare(name: str, path: Path, repeats: int) -> list[dict[str, object]]:
    """Return a row per reader: medians, and the median of ratios of runs that followed each other."""
    runs: dict[str, list[Run]] = {reader: [] for reader in READERS}
    for repeat in range(repeats):
        for reader in READERS if repeat % 2 else reversed(READERS):
            runs[reader].append(measure(reader, path))
    n_frames = runs["ours"][0].n_frames
    rows = []
    for reader in READERS:
        wall_s = statistics.median(run.wall_s for run in runs[reader])
        ratios = {
            baseline: statistics.median(
                base_run.wall_s / run.wall_s for run, base_run in zip(runs[reader], runs[baseline], strict=True)
            )
            for baseline in ("OpenCV", "ffmpeg")
        }
        rows.append(
            {
                "file": name,
                "reader": reader,
                "frames per second": round(n_frames / wall_s),
                "CPU ms per frame": round(1000 * statistics.median(run.cpu_s for run in runs[reader]) / n_frames, 1),
                "speed / OpenCV": round(ratios["OpenCV"], 2),
                "speed / ffmpeg": round(ratios["ffmpeg"], 2),
                "peak MiB": round(max(run.peak_mib for run in runs[reader])),
            }
        )
    return rows


def main() -> None:
    """Make files, measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--seconds", type=float, default=25.0, help="length of the files")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each reader on each file")
    parser.add_argument("--read-with", choices=["ours", "OpenCV"], help=argparse.SUPPRESS)
    add_record_options(parser)
    arguments = parser.parse_args()
    if arguments.read_with:
        run = read_all(arguments.read_with, arguments.video)
        print(run.n_frames, run.wall_s, run.cpu_s, run.peak_mib)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in FILES:
            path = make_file(arguments.video, name, arguments.seconds, Path(folder))
            rows += compare(name, path, arguments.repeats)
        once, ten_times = (measure("ours", file).peak_mib for file in (path, repeat_file(path, 10)))
    about = (
        f"{arguments.video.name}, repeated to {arguments.seconds:g} s, scaled and encoded with ffmpeg. The readers "
        f"convert to RGB and scale to 720 pixels; ffmpeg only decodes (`-f null`). Medians of {arguments.repeats} runs "
        f"in turns, on {os.cpu_count()} cores. Ratios above 1: faster."
    )
    memory = (
        f"Peak memory of our reader on the last file: {once:.0f} MiB; on ten copies in one file: {ten_times:.0f} MiB."
    )
    print(about, table(rows), memory, sep="\n\n")
    if arguments.record:
        record("decoding", "Decoding speed", f"{about}\n\n{table(rows)}\n{memory}", arguments.results)


if __name__ == "__main__":
    main()
