"""Read damaged videos and images: count tracebacks, hangs and crashes, and measure memory.

    python benchmarks/readers/fuzz.py [--count N] [--seed S] [--only NAME ...] [--log FILE] [--record]

Each file is made from a sound one by seeded mutations, and is read in a process of its own: once through, or a part. With
--log, a campaign that was interrupted goes on where it stopped. ``--keep FOLDER`` keeps the files that fail.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "speed"))

from made_files import COMBINATIONS, ODD_FILES, make_file
from made_images import ANIMATIONS, STILLS, make_image
from mutations import mutate
from results import add_record_options, record, table

from anyanomaly.api.reader import Reader
from anyanomaly.builtin.reader_options import ImageReaderOptions, VideoReaderOptions
from anyanomaly.builtin.readers import ImageReader, VideoReader
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


def damaged_file(index: int, seed: int, names: Sequence[str], sources: Path, target: Path) -> tuple[str, str]:
    """Write the damaged file of an index, as a file with the suffix of its source; return the source and mutations."""
    rng = random.Random(f"{seed} {index}")
    name = names[index % len(names)]
    content, mutations = mutate((sources / name).read_bytes(), rng)
    target.with_suffix(Path(name).suffix).write_bytes(content)
    return name, mutations
