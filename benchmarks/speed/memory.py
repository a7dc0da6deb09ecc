"""Measure the peak memory of a run without models: on a video, on ten copies of it in one file, and on it in 1080p.

    python benchmarks/speed/memory.py VIDEO [--record]

Each run is a process of its own, with the fakes of anyanomaly.testing in place of models. The measure covers decoding,
segments, contexts, look-ahead and results.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
from results import add_record_options, record, table

PLUGIN = """
from anyanomaly import BackendSpec, EncoderSpec, hookimpl
from anyanomaly.testing.fakes import FakeBackend

class Red(FakeBackend):
    def __init__(self, options):
        super().__init__(batch_size=16)

@hookimpl
def anyanomaly_register_backends():
    return [BackendSpec(name="red", summary="s", target="memory_plugin:Red")]

@hookimpl
def anyanomaly_register_encoders():
    return [EncoderSpec(name="colour", summary="s", target="anyanomaly.testing.fakes:FakeEncoder")]
"""

PROBE = """
import resource, sys
from anyanomaly.cli import main
code = main(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def copy(source: str, target: Path, *, times: int = 1, size: tuple[int, int] | None = None) -> str:
    """Write a video that repeats the frames of another, resized to (width, height) if a size is given."""
    writer = None
    for _ in range(times):
        capture = cv2.VideoCapture(source)
        fps = capture.get(cv2.CAP_PROP_FPS)
        while (read := capture.read())[0]:
            picture = cv2.resize(read[1], size) if size else read[1]
            if writer is None:
                shape = (picture.shape[1], picture.shape[0])
                writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), fps, shape)
            writer.write(picture)
    assert writer is not None, source
    writer.release()
    return str(target)


def peak_mib(video: str, folder: Path, *more: str) -> float:
    """Run over a video and return the peak resident memory of the process, in MiB."""
    plugin = folder / "memory_plugin.py"
    plugin.write_text(PLUGIN)
    options = ["-t", "car", "-t", "person", "--backend", "red", "--encoder", "colour", "--no-cache"]
    command = ["-q", "-p", str(plugin), "run", video, *options, "-o", str(folder / "r.csv"), *more]
    environment = dict(os.environ, ANYANOMALY_CACHE_DIR=str(folder))
    program = [sys.executable, "-c", PROBE, *command]
    process = subprocess.run(program, capture_output=True, text=True, env=environment, check=True)
    code, kib = process.stderr.split()[-2:]
    assert code == "0", process.stderr
    return int(kib) / 1024


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    add_record_options(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        once = peak_mib(copy(arguments.video, folder / "once.mp4"), folder)
        ten_times = peak_mib(copy(arguments.video, folder / "ten.mp4", times=10), folder)
        full_hd = copy(arguments.video, folder / "hd.mp4", size=(1920, 1080))
        rows = {
            "once_mib": round(once),
            "ten_times_mib": round(ten_times),
            "ratio": round(ten_times / once, 3),
            "full_hd_mib": round(peak_mib(full_hd, folder)),
            "full_hd_unscaled_mib": round(peak_mib(full_hd, folder, "--reader.max-side", "0")),
        }
    print(table([rows]))
    if arguments.record:
        about = f"Peak resident memory of a run over {Path(arguments.video).name}, fakes in place of models."
        record("memory", "Memory", f"{about}\n\n{table([rows])}", arguments.results)


if __name__ == "__main__":
    main()
