"""``anyanomaly demo``: run the method on two clips that are not in the training set, and compare with the labels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly.outside_text import terminal_text
from anyanomaly_demo.search_settings import CONTEXTS, MIXES, SELECTOR, SMOOTH_S, THRESHOLD, WEIGHTS

if TYPE_CHECKING:
    from anyanomaly import Event, Timeline
    from anyanomaly_demo.measure import Labels
    from anyanomaly_demo.scenes import Scene

SEED = 2_900_000  # in the test split, behind the clips of the published benchmark
N_FRAMES = 192
EVENTS = {"appearance": ("bicycle", "stroller", "dog"), "action": ("falling", "running", "fighting")}

NEXT_STEPS = """
Next:
  anyanomaly run VIDEO.mp4 -t "a person falls" -o report.html     your own video
  anyanomaly run VIDEO.mp4 -t "a person falls" --backend qwen-hf  Qwen2.5-VL 3B (7 GB)
  python benchmarks/demo.py                                       benchmark: 40 clips, AUC per context and class"""


def add_command(app: typer.Typer) -> None:
    """Add ``demo`` to the application."""

    @app.command("demo")
    def demo(
        folder: Annotated[
            Path, typer.Option("-d", "--directory", metavar="DIR", help="folder of the clips and results")
        ] = Path("anyanomaly-demo"),
        seed: Annotated[int, typer.Option(min=0, max=99_999, help="each number gives other clips")] = 0,
        backend: Annotated[str, typer.Option(help="engine: demo-hf, demo-gguf, demo-vllm")] = "demo-hf",
        scoring: Annotated[
            str, typer.Option(help="words: the score that the model writes; expected: from its probabilities")
        ] = "words",
    ) -> None:
        """Draw two short clips, search them with the tiny models of this plugin, and compare with the true events."""
        run_demo(folder, SEED + seed, backend, scoring)


def run_demo(folder: Path, seed: int, backend: str, scoring: str) -> None:
    """Print the detected events beside the true ones, then AUC, speed and where the files are.

    :raises AnyAnomalyError: when the run fails or a file cannot be written.
    """
    from anyanomaly.api.safe_file import check_plain
    from anyanomaly_demo.clip_files import describe, write_json, write_labels, write_video
    from anyanomaly_demo.scenes import CLASSES, make_scene

    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            check_plain(path)
    _print("Drawing two clips that are not in the training set ...")
    clips = []
    for flavour, events in EVENTS.items():
        scene = make_scene(seed, flavour=flavour, n_frames=N_FRAMES, events=events)
        write_video(scene, folder / f"{flavour}.mp4")
        clips.append((flavour, scene))
    records = [describe(scene, flavour, CLASSES[flavour]) for flavour, scene in clips]
    write_labels(folder, records)
    write_json(
        folder / "truth.json", [{key: value for key, value in record.items() if key != "labels"} for record in records]
    )

    _print("Loading a tiny CLIP and a tiny Qwen2.5-VL ...\n")
    results: list[tuple[str, list[Timeline], Labels]] = []
    start = time.perf_counter()
    for flavour, scene in clips:
        labels = {(flavour, text): scene.labels(text) for text in CLASSES[flavour]}
        results.append((flavour, _search_clip(folder, flavour, scene, backend, scoring), labels))
    seconds = time.perf_counter() - start
    _print_auc(results, seconds)
    _print(f"\nClips, CSV, JSON and labels are in {folder}/")
    _print(NEXT_STEPS)


def _print(text: str) -> None:
    typer.echo(terminal_text(text))


def _search_clip(folder: Path, flavour: str, scene: Scene, backend: str, scoring: str) -> list[Timeline]:
    """Search one clip for all classes of its flavour, print detected beside true events, and return the timelines."""
    import anyanomaly
    from anyanomaly_demo.scenes import CLASSES

    _print(f"{flavour}.mp4   searched for: {', '.join(CLASSES[flavour])}")
    _print(f"  {'detected':<17}{'peak':<7}{'event':<12}{'truth':<17}reason")
    pieces: list[Timeline] = []
    overlapped_spans = []
    tables: dict[str, Any] = {
        "encoder": "demo-clip",
        "selector": SELECTOR,
        "backend": backend,
        "context": CONTEXTS,
        "run": {"scoring": scoring, "threshold": THRESHOLD, "smooth_seconds": SMOOTH_S},
        "sink": [{"path": str(folder / f"{flavour}{suffix}")} for suffix in (".jsonl", ".csv", ".events.json")],
    }
    for outcome in anyanomaly.run(folder / f"{flavour}.mp4", CLASSES[flavour], **tables):
        if isinstance(outcome, anyanomaly.Timeline):
            pieces.append(outcome)
            continue
        true_spans = _overlapping_spans(scene, outcome)
        overlapped_spans += true_spans
        truth = ", ".join(f"{start:.1f}-{stop:.1f} s" for _, start, stop in true_spans) or "none"
        span = f"{outcome.start_s:.1f}-{outcome.stop_s:.1f} s"
        _print(f"  {span:<17}{outcome.peak:<7.2f}{outcome.text:<12}{truth:<17}{outcome.rationale}")
    for name, start, stop in _event_spans(scene):
        if (name, start, stop) not in overlapped_spans:
            _print(f"  {'missed':<17}{'':<7}{name:<12}{start:.1f}-{stop:.1f} s")
    _print("")
    return anyanomaly.join_timelines(pieces)


def _event_spans(scene: Scene) -> list[tuple[str, float, float]]:
    """Return class, start and stop in seconds of each true event."""
    from anyanomaly_demo.scenes import FPS

    return [(event.name, event.start / FPS, event.stop / FPS) for event in scene.events]


def _overlapping_spans(scene: Scene, event: Event) -> list[tuple[str, float, float]]:
    """Return the true events of the same class that overlap a detected one."""
    return [
        (name, start, stop)
        for name, start, stop in _event_spans(scene)
        if name == event.text and start < event.stop_s and event.start_s < stop
    ]


def _print_auc(results: Sequence[tuple[str, list[Timeline], Labels]], seconds: float) -> None:
    from anyanomaly_demo.measure import auc

    _print(f"Frame-level AUC     {''.join(f'{flavour:>12}' for flavour, _, _ in results)}")
    for title, names in MIXES.items():
        weights = {name: WEIGHTS[name] for name in names}
        row = "".join(f"{auc(timelines, labels, weights):>12.3f}" for _, timelines, labels in results)
        _print(f"  {title:<18}{row}")
    n_frames = sum(len(timeline.times_s) for _, timelines, _ in results for timeline in timelines[:1])
    n_texts = len(results[0][1])
    _print(
        f"\n{n_frames} frames, {n_texts} event texts each, in {seconds:.0f} s including loading: "
        f"{n_frames / seconds:.1f} frames/s for {n_texts} texts, {n_frames * n_texts / seconds:.0f} frames/s per text"
    )
