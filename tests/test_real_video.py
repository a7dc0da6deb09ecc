"""The whole program on real video with a real architecture of tiny random weights: the path, not the scores."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.shared import shared
from tests.support.tiny_models import make_clip, make_model

pytestmark = pytest.mark.engine

HANGS_S = 3600  # a busy machine is slow; one that hangs ends too


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("models")
    encoder, backend = make_clip(folder / "clip"), make_model("qwen2_5_vl", folder / "qwen")
    return (
        *("--encoder.model", str(encoder), "--backend", "transformers", "--backend.model", str(backend)),
        *("--backend.batch-size", "4", "--scoring", "expected"),
    )


def command(cache: Path, *argv: str) -> subprocess.Popen[str]:
    environment = dict(os.environ, ANYANOMALY_CACHE_DIR=str(cache), HF_HUB_OFFLINE="1")
    program = [sys.executable, "-m", "anyanomaly", *argv]
    return subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.parametrize("name", ["car-detection", "one-by-one-person-detection", "bottle-detection"])
def test_every_frame_of_a_real_video_has_a_row(name: str, models: tuple[str, ...], tmp_path: Path) -> None:
    video = str(shared("data", "videos", f"{name}.mp4"))
    outputs = ("-o", str(tmp_path / "r.csv"), "-o", str(tmp_path / "r.jsonl"))
    long = ("--segment-frames", "96", "--every", "4")  # the same path, a quarter of the work
    run = command(tmp_path, "run", video, "-t", "car", "-t", "person walking", *models, *outputs, *long)
    out, err = run.communicate(timeout=HANGS_S)
    assert run.returncode == 0, err
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    n_frames = int(next(part for part in err.split("(")[1].split()))
    for text in ("car", "person walking"):
        assert [int(row["frame"]) for row in rows if row["text"] == text] == list(range(n_frames))
    assert all(0 <= float(row[name]) <= 1 for row in rows for name in ("key", "position", "temporal", "raw", "score"))
    kinds = Counter(json.loads(line)["type"] for line in (tmp_path / "r.jsonl").read_text().splitlines())
    assert kinds["segment"] == 2 * -(-n_frames // 96)
    assert kinds["event"] == len(out.splitlines())


def test_a_killed_run_goes_on_where_it_stopped(models: tuple[str, ...], tmp_path: Path) -> None:
    video = str(shared("data", "videos", "car-detection.mp4"))

    def run(cache: str, name: str) -> subprocess.Popen[str]:
        results = str(tmp_path / name)
        outputs = ("-o", f"{results}.jsonl", "-o", f"{results}.csv", "-o", f"{results}.json")
        return command(tmp_path / cache, "run", video, "-t", "car", "-t", "person walking", *models, *outputs)

    killed = run("cache", "killed")
    partial = tmp_path / "killed.jsonl.partial"
    deadline = time.monotonic() + HANGS_S
    while not (partial.exists() and partial.read_text().count("\n") >= 5):
        assert killed.poll() is None, killed.stderr.read() if killed.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "killed.jsonl").exists()

    resumed, whole = run("cache", "killed"), run("other-cache", "whole")
    (_, resumed_err), (_, whole_err) = resumed.communicate(timeout=HANGS_S), whole.communicate(timeout=HANGS_S)
    assert (resumed.returncode, whole.returncode) == (0, 0), resumed_err + whole_err
    assert " 0 answers reused" not in resumed_err
    assert "96 questions asked, 0 answers reused" in whole_err
    for suffix in ("jsonl", "csv", "json"):
        killed_text, whole_text = ((tmp_path / f"{name}.{suffix}").read_text() for name in ("killed", "whole"))
        between, numbers = parts(killed_text)
        assert between == parts(whole_text)[0]
        # a resumed run's batches hold other questions, and some CPUs round a product by its size
        assert numbers == pytest.approx(parts(whole_text)[1], rel=0, abs=1e-5)


def parts(text: str) -> tuple[list[str], list[float]]:
    """Return what stands between decimal fractions, and these."""
    pieces = re.split(r"(\d+\.\d+(?:e-\d+)?)", text)
    return pieces[::2], [float(piece) for piece in pieces[1::2]]
