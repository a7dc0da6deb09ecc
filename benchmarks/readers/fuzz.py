"""Read damaged videos and images: count tracebacks, hangs and crashes, and measure memory.

    python benchmarks/readers/fuzz.py [--count N] [--seed S] [--only NAME ...] [--log FILE] [--record]

Each file is made from a sound one by seeded mutations, and is read in a process of its own: all of it, or a section.
With --log, a campaign that was interrupted goes on where it stopped; with --folder, files that show a fault are kept.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))

from made_files import COMBINATIONS, ODD_FILES, make_file
from made_images import ANIMATIONS, STILLS, make_image
from mutations import mutate
from results import add_record_options, record, table

from anyanomaly.api.reader import Reader
from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import ImageReaderOptions, VideoReaderOptions
from anyanomaly.errors import AnyAnomalyError

LIMIT_S = 60.0
MAX_MIB = 2048
IMAGES = {**ANIMATIONS, **STILLS}


@dataclass(frozen=True)
class Outcome:
    """What became of one damaged file."""

    index: int
    source: str
    mutations: str
    result: str  # "read", "read in part", "refused", or a fault: "traceback", "wrong frames", "hang", "crash"
    n_frames: int = 0
    peak_mib: float = 0.0
    seconds: float = 0.0
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether a user would complain."""
        return self.result not in {"read", "read in part", "refused"} or self.peak_mib >= MAX_MIB


def damaged_file(index: int, seed: int, names: Sequence[str], folder: Path) -> tuple[Path, str, str]:
    """Write the damaged file of an index beside the sound ones; return its path, its source and the mutations."""
    name = names[index % len(names)]
    content, mutations = mutate((folder / name).read_bytes(), random.Random(f"{seed} {index}"))
    path = folder / "damaged" / f"{index}{Path(name).suffix}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path, name, mutations


def read_file(path: Path, source: str, index: int) -> tuple[str, int, str]:
    """Read a file as a run does; return the result, the number of frames, and details of a fault."""
    is_image = source in IMAGES
    reader: Reader[Any] = ImageReader(ImageReaderOptions()) if is_image else VideoReader(VideoReaderOptions())
    frames: list[tuple[int, float]] = []
    try:
        video = reader.probe(str(path))
        if not is_image and index % 3 == 2:
            video = replace(video, section=(0.4, 1.3))
        for frame in reader.frames(video):
            if frame.image.shape != (video.height, video.width, 3):
                return (
                    "wrong frames",
                    len(frames),
                    f"shape {frame.image.shape} in a video of {video.width}x{video.height}",
                )
            if frames and (frame.index <= frames[-1][0] or frame.time_s < frames[-1][1]):
                return "wrong frames", len(frames), f"{frame.index} at {frame.time_s} s after {frames[-1]}"
            if not math.isfinite(frame.time_s):
                return "wrong frames", len(frames), f"time {frame.time_s}"
            frames.append((frame.index, frame.time_s))
    except AnyAnomalyError as error:
        if "\n" in str(error) or len(str(error)) > 600:
            return "wrong message", len(frames), str(error)
        return "read in part" if frames else "refused", len(frames), ""
    except BaseException:
        return "traceback", len(frames), traceback.format_exc()
    return "read", len(frames), ""


def start_child(path: Path, source: str, index: int) -> int:
    """Read a file in a child process, which writes what it finds beside the file; return the process's id."""
    pid = os.fork()
    if pid:
        return pid
    answer = "traceback", 0, "the child did not answer"
    try:
        answer = read_file(path, source, index)
    finally:
        path.with_suffix(".json").write_text(json.dumps(answer))
        os._exit(0)


def campaign(indices: Iterable[int], seed: int, names: Sequence[str], folder: Path, jobs: int) -> Iterator[Outcome]:
    """Read the damaged files of some indices, several at a time; yield what became of them."""
    running: dict[int, tuple[Path, Outcome, float]] = {}  # process id to its file, what is known of it, and its start
    pending = iter(indices)
    exhausted = False
    while running or not exhausted:
        while len(running) < jobs and not exhausted:
            index = next(pending, None)
            if index is None:
                exhausted = True
                break
            path, source, mutations = damaged_file(index, seed, names, folder)
            running[start_child(path, source, index)] = path, Outcome(index, source, mutations, ""), time.monotonic()
        for pid, (path, outcome, started_s) in list(running.items()):
            seconds = time.monotonic() - started_s
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            is_hanging = not ended and seconds > LIMIT_S
            if is_hanging:
                os.kill(pid, signal.SIGKILL)
                _, status, usage = os.wait4(pid, 0)
            if ended or is_hanging:
                del running[pid]
                yield finish(
                    replace(outcome, seconds=seconds, peak_mib=usage.ru_maxrss / 1024), path, status, is_hanging
                )
        time.sleep(0.005)


def finish(outcome: Outcome, path: Path, status: int, is_hanging: bool) -> Outcome:
    """Return the outcome of a child that has ended; remove its files unless they show a fault."""
    answer = path.with_suffix(".json")
    if is_hanging:
        outcome = replace(outcome, result="hang")
    elif os.WIFSIGNALED(status):
        outcome = replace(outcome, result="crash", detail=signal.Signals(os.WTERMSIG(status)).name)
    else:
        result, n_frames, detail = json.loads(answer.read_text())
        outcome = replace(outcome, result=result, n_frames=n_frames, detail=detail)
    answer.unlink(missing_ok=True)
    if not outcome.is_fault:
        path.unlink()
    return outcome


def summary(outcomes: Sequence[Outcome]) -> list[dict[str, object]]:
    """Return a row for videos, animations and still images each, and for all."""
    kinds = {
        "videos": [outcome for outcome in outcomes if outcome.source not in IMAGES],
        "animations": [outcome for outcome in outcomes if outcome.source in ANIMATIONS],
        "still images": [outcome for outcome in outcomes if outcome.source in STILLS],
        "all": list(outcomes),
    }
    columns = ("read", "read in part", "refused", "traceback", "wrong frames", "wrong message", "hang", "crash")
    return [
        {"files": kind, "number": len(group)}
        | {column: sum(outcome.result == column for outcome in group) for column in columns}
        | {
            "peak MiB": round(max(outcome.peak_mib for outcome in group)),
            "longest s": round(max(outcome.seconds for outcome in group), 1),
        }
        for kind, group in kinds.items()
        if group
    ]


def main() -> None:
    """Make files, damage and read them, print, record; fail when there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="number of damaged files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="files that are read at the same time")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these sources")
    parser.add_argument("--log", type=Path, help="file of outcomes; those that it holds are not read again")
    parser.add_argument("--folder", type=Path, help="folder of the sound files, and of damaged ones that show a fault")
    add_record_options(parser)
    arguments = parser.parse_args()
    names = arguments.only or [*COMBINATIONS, *ODD_FILES, *IMAGES]
    log = arguments.log
    outcomes = [Outcome(**json.loads(line)) for line in log.read_text().splitlines()] if log and log.exists() else []
    ready = {outcome.index for outcome in outcomes}
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (make_image if name in IMAGES else make_file)(name, folder)
        pending = (index for index in range(arguments.count) if index not in ready)
        for outcome in campaign(pending, arguments.seed, names, folder, arguments.jobs):
            outcomes.append(outcome)
            if outcome.is_fault:
                print(outcome.index, outcome.source, outcome.mutations, outcome.result, outcome.detail, file=sys.stderr)
            if log:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(outcome)) + "\n")
    rows = summary(outcomes)
    n_faults = sum(outcome.is_fault for outcome in outcomes)
    about = (
        f"{len(outcomes)} damaged files, made from {len(names)} sound ones by mutations with seed {arguments.seed}, "
        f"each read in a process of its own. Faults are tracebacks, wrong frames or messages, more than {LIMIT_S:g} s, "
        f"crashes, and {MAX_MIB} MiB of memory or more: {n_faults}."
    )
    print(about, table(rows), sep="\n\n")
    if arguments.record:
        record("fuzz", "Damaged files", f"{about}\n\n{table(rows)}", arguments.results)
    if n_faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
