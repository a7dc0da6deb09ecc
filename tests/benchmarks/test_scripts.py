"""Every script of benchmarks/ and docs/ runs at its smallest size: each figure of RESULTS.md can be made again.

Scripts of plugins/*/training run in the tests of their plugins, recipes in tests/bench.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from anyanomaly.testing.videos import synthetic_video
from tests.support.system import needs_program

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("benchmarks", "benchmarks/readers", "benchmarks/speed", "docs")
ELSEWHERE = {
    "docs/cli.py": "make check",
    "benchmarks/readers/made_files.py": "benchmarks/readers/compare.py",
    "benchmarks/readers/made_images.py": "benchmarks/readers/fuzz.py",
    "benchmarks/readers/mutations.py": "benchmarks/readers/fuzz.py",
    "benchmarks/readers/opencv_reader.py": "benchmarks/readers/compare.py",
    "benchmarks/readers/reasons.py": "benchmarks/readers/compare.py",
    "benchmarks/speed/machine.py": "benchmarks/speed/full_size.py",
    "benchmarks/speed/servers.py": "test_a_server_runs_until_the_benchmark_ends",
}
"""Scripts that run in another check, with its name."""


def _write_labels(folder: Path) -> Path:
    """Write label files as C-VAD has them: two small datasets of two videos, one event each."""
    import h5py
    import numpy as np

    for dataset, prefix in (("c-shtech_labels", "shtech"), ("c-avenue_labels", "avenue")):
        (folder / dataset).mkdir()
        for number, name in enumerate(("bicycle", "car")):
            with h5py.File(folder / dataset / f"{prefix}_{name}_label.h5", "w") as file:
                for video in ("01", "02", "03"):
                    file[video] = np.arange(240) // 60 == 1 + number
    return folder


def _contexts(folder: Path) -> list[str]:
    from tests.support.tiny_models import make_clip

    synthetic_video(folder / "clip.mp4", n_frames=24, size=(252, 196))
    small = ["--segments", "1", "--texts", "1", "--dtypes", "float32", "--model", str(make_clip(folder / "model"))]
    return [str(folder / "clip.mp4"), *small, *_recorded(folder)]


def _memory(folder: Path) -> list[str]:
    synthetic_video(folder / "clip.mp4", n_frames=24)
    return [str(folder / "clip.mp4"), *_recorded(folder)]


def _evidence(folder: Path) -> list[str]:
    return [*_memory(folder), "--texts", "1", "--rounds", "1", "--latency-ms", "1"]


def _outputs(folder: Path) -> list[str]:
    synthetic_video(folder / "clip.mp4", n_frames=24)
    return [str(folder / "clip.mp4"), "--latency", "0", "--repeats", "1", "--texts", "car", *_recorded(folder)]


def _bench_folder(folder: Path) -> list[str]:
    (folder / "table-0").mkdir()
    (folder / "table-0" / "table.md").write_text("# Table 0\n\n| a |\n| --- |\n| 1 |\n")
    (folder / "table-0" / "fps-auc.svg").write_text("<svg/>")
    return [str(folder / "table-0"), "--results", str(folder / "results-folder")]


def _compared_files(folder: Path) -> list[str]:
    synthetic_video(folder / "case.mp4", n_frames=24)
    (folder / "cases").mkdir()
    (folder / "case.mp4").rename(folder / "cases" / "case.mp4")
    return ["--only", "h264.mp4", "joined.ts", "--cases", str(folder / "cases"), *_recorded(folder)]


def _decoded_video(folder: Path) -> list[str]:
    synthetic_video(folder / "clip.mp4", n_frames=24, size=(320, 240))
    return [str(folder / "clip.mp4"), "--seconds", "0.4", "--repeats", "1", *_recorded(folder)]


def _damaged_files(folder: Path) -> list[str]:
    sources = ["h264.mp4", "h264.ts", "mjpeg.avi", "mpeg4-b.mp4", "vp9.webm", "ffv1.mkv", "raw.h264", "h264.flv"]
    images = ["animation.gif", "animation.webp", "animation.apng", "baseline.jpg", "palette.png", "lzw.tiff"]
    return ["--count", "60", "--only", *sources, *images, "--log", str(folder / "log.jsonl"), *_recorded(folder)]


def _waiting(folder: Path) -> list[str]:
    short = ["--seconds", "2", "--latency-ms", "1", "--texts", "1", "--engines", "slots"]
    return [*short, "--settings", "exact", "4 frames/s", *_recorded(folder)]


def _recorded(folder: Path) -> list[str]:
    return ["--record", "--results", str(folder / "results-folder")]


ARGUMENTS: dict[str, Callable[[Path], list[str]]] = {
    "docs/pictures.py": lambda folder: ["--help"],  # the pages and files that it photographs have tests of their own
    "docs/terminal.py": lambda folder: [str(folder), "bicycle"],
    "benchmarks/demo.py": lambda folder: ["--clips", "1", "--root", str(folder / "clips"), "--out", str(folder)],
    "benchmarks/demo_small.py": lambda folder: ["--clips", "1", "--root", str(folder / "clips"), "--out", str(folder)],
    "benchmarks/readers/compare.py": _compared_files,
    "benchmarks/readers/decoding.py": _decoded_video,
    "benchmarks/readers/fuzz.py": _damaged_files,
    "benchmarks/record.py": _bench_folder,
    "benchmarks/speed/contexts.py": _contexts,
    "benchmarks/speed/engines.py": lambda folder: (
        ["--engines", "transformers", "gguf", "--precisions", "single", *_recorded(folder)]
    ),
    "benchmarks/speed/evaluation.py": lambda folder: [str(_write_labels(folder)), "--seeds", "2", *_recorded(folder)],
    "benchmarks/speed/evidence.py": _evidence,
    "benchmarks/speed/full_size.py": lambda folder: (
        # an image tower in half precision, files of torch.save, and GGUF
        ["minigpt4", "qwen-gguf", "--size", "tiny", "--dtype", "float32", "--questions", "1", *_recorded(folder)]
    ),
    "benchmarks/speed/gates.py": lambda folder: [
        *("still", "--minutes", "0.3", "--events", "1", "--root", str(folder / "clips"), *_recorded(folder))
    ],
    "benchmarks/speed/gpu.py": lambda folder: [
        *("--size", "tiny", "--device", "cpu", "--engines", "transformers", "--models", "3b", "--runs", "2"),
        *("--segments", "2", "--row-seconds", "0.1", "--output", str(folder / "gpu"), *_recorded(folder)),
    ],
    "benchmarks/speed/in_flight.py": lambda folder: ["--questions", "6", "--batch-size", "2", *_recorded(folder)],
    "benchmarks/speed/memory.py": _memory,
    "benchmarks/speed/outputs.py": _outputs,
    "benchmarks/speed/presets.py": lambda folder: (
        ["--families", "lfm2", "--engines", "transformers", "llama.cpp", *_recorded(folder)]
    ),
    "benchmarks/speed/results.py": lambda folder: ["--check"],
    "benchmarks/speed/texts.py": lambda folder: ["--segments", "1", "--side", "112", *_recorded(folder)],
    "benchmarks/speed/waiting.py": _waiting,
}
"""Arguments of each script at its smallest size; what it writes goes into the given folder."""
ENGINES = {
    "benchmarks/demo.py",
    "benchmarks/demo_small.py",
    "benchmarks/speed/contexts.py",
    "benchmarks/speed/engines.py",
    "benchmarks/speed/evidence.py",
    "benchmarks/speed/full_size.py",
    "benchmarks/speed/gates.py",
    "benchmarks/speed/gpu.py",
    "benchmarks/speed/in_flight.py",
    "benchmarks/speed/presets.py",
    "benchmarks/speed/texts.py",
    "benchmarks/speed/waiting.py",
}


def test_every_script_is_run_by_a_test() -> None:
    scripts = {str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).glob("*.py")}
    assert scripts == {*ARGUMENTS, *ELSEWHERE}


def test_scripts_of_the_plugins_are_run_by_their_tests() -> None:
    for folder in ROOT.glob("plugins/*/training"):
        assert "glob" in (folder.parent / "tests" / "test_training.py").read_text(), folder


@pytest.mark.parametrize(
    "script", [pytest.param(name, marks=pytest.mark.engine) if name in ENGINES else name for name in sorted(ARGUMENTS)]
)
def test_the_script_runs_at_its_smallest_size(script: str, tmp_path: Path) -> None:
    if script.startswith("benchmarks/readers/"):
        needs_program("ffmpeg")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ANYANOMALY_CACHE_DIR": str(tmp_path / "cache")}
    process = subprocess.run(
        [sys.executable, str(ROOT / script), *ARGUMENTS[script](tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    for page in tmp_path.glob("results-folder/RESULTS.md"):
        section = page.read_text(encoding="utf-8").partition("\n## ")[2]
        assert "| --- |" in section
        assert section.splitlines()[-1].startswith("Commit ")
        assert str(tmp_path) not in section.replace(str(tmp_path / "results-folder"), "")


@pytest.fixture
def speed_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the modules of benchmarks/speed importable, as for its scripts."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks" / "speed"))
    yield
    sys.modules.pop("servers", None)


def test_a_server_runs_until_the_benchmark_ends(speed_modules: None, tmp_path: Path, monkeypatch) -> None:
    import servers

    (tmp_path / "fake_server.py").write_text(
        "import http.server, sys\n"
        "address = sys.argv[sys.argv.index('--host') + 1], int(sys.argv[sys.argv.index('--port') + 1])\n"
        "http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with servers.server(["fake_server"], "fake_server.py", tmp_path / "log") as url:
        page = url.removesuffix("/v1") + "/fake_server.py"
        assert urllib.request.urlopen(page).status == 200
    assert not servers.answers(page)


def test_a_server_that_does_not_start_shows_its_log(speed_modules: None, tmp_path: Path) -> None:
    import servers

    with (
        pytest.raises(SystemExit, match="No module named no_such_server"),
        servers.server(["no_such_server"], "health", tmp_path / "log"),
    ):
        pass
