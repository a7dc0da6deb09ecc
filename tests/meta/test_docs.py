"""Docs hold: the one-file plugin runs as they say, links lead somewhere, results are what scripts wrote."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from anyanomaly.cli import main
from anyanomaly.testing.videos import synthetic_video

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "plugins.md"


def test_the_backend_of_the_docs_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (source,) = [
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "MyBackend" in block
    ]
    plugin, clip, frames = tmp_path / "mine.py", tmp_path / "clip.mp4", tmp_path / "frames.csv"
    plugin.write_text(source)
    synthetic_video(clip)
    command = ["-p", str(plugin), "run", str(clip), "-t", "car", "--backend", "mine", "-o", str(frames)]
    encoder_free = ["--selector", "middle", "--context", "key"]
    given = ["--backend.gain", "40", "--threshold", "0.3", "--segment-frames", "8", "--no-cache"]
    assert main([*command, *encoder_free, *given]) == 0
    (event,) = capsys.readouterr().out.splitlines()
    start_s, stop_s, *_ = event.split("\t")
    assert abs(float(start_s) - 1.0) < 0.6  # the red square crosses from 1 s to 2 s
    assert abs(float(stop_s) - 2.0) < 0.6
    assert len(frames.read_text().splitlines()) == 1 + 96


def test_links_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_results_are_the_sections_that_scripts_wrote() -> None:
    joined = runpy.run_path(str(ROOT / "benchmarks" / "speed" / "results.py"))["joined"]
    assert (ROOT / "benchmarks" / "RESULTS.md").read_text() == joined()
