"""``anyanomaly demo``: two clips never seen in training, the whole method over them, what it found beside the truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly_demo.search_settings import CONTEXTS, MIXES, SELECTOR, SMOOTH_S, THRESHOLD, WEIGHTS

if TYPE_CHECKING:
    from anyanomaly import Event, Timeline
    from anyanomaly_demo.measure import Labels
    from anyanomaly_demo.scenes import Scene

SEED = 2_900_000  # of the test split, past the clips that results are reported on
N_FRAMES = 192
PLANS = {"appearance": ("bicycle", "stroller", "dog"), "action": ("falling", "running", "fighting")}

NEXT = """
Next:
  anyanomaly run VIDEO.mp4 -t "a person falls" -o results.jsonl   your own video
  anyanomaly run VIDEO.mp4 -t "a person falls" --backend qwen-hf  Qwen2.5-VL 3B (7 GB)
  python benchmarks/demo.py                                       the benchmark: 40 clips, AUC per context and class"""


def add(app: typer.Typer) -> None:
    """Add the command to the application."""

    @app.command("demo")
    def demo(
        folder: Annotated[
            Path, typer.Option("-d", "--directory", metavar="DIR", help="where clips and results go")
        ] = Path("anyanomaly-demo"),
        seed: Annotated[int, typer.Option(min=0, max=99_999, help="another number gives other clips")] = 0,
        backend: Annotated[str, typer.Option(help="engine: demo-hf, demo-gguf, demo-vllm")] = "demo-hf",
        scoring: Annotated[str, typer.Option(help="expected: from probabilities; words: from what it says")] = "words",
    ) -> None:
        """Make two short clips, search them with tiny models that come along, and compare with the truth."""
        run_demo(folder, SEED + seed, backend, scoring)


def run_demo(folder: Path, seed: int, backend: str, scoring: str) -> None:
    """Do it: print events as they are found, beside the truth, then AUC, speed and where everything is.

    :raises AnyAnomalyError: one of its kinds, with a message for the user.
    """
    from anyanomaly_demo.scenes import CLASSES, make_scene
    from anyanomaly_demo.writing import describe, write_json, write_labels, write_video

    typer.echo("Drawing two clips that no training saw ...")
    clips = []
    for flavour, events in PLANS.items():
        scene = make_scene(seed, flavour=flavour, n_frames=N_FRAMES, events=events)
        write_video(scene, folder / f"{flavour}.mp4")
        clips.append((flavour, scene))
    described = [describe(scene, flavour, CLASSES[flavour]) for flavour, scene in clips]
    write_labels(folder, described)
    write_json(folder / "truth.json", [{k: v for k, v in each.items() if k != "labels"} for each in described])

    typer.echo("Loading a tiny CLIP and a tiny Qwen2.5-VL ...\n")
    found: list[tuple[str, list[Timeline], Labels]] = []
    began = time.perf_counter()
    for flavour, scene in clips:
        labels = {(flavour, text): scene.labels(text) for text in CLASSES[flavour]}
        found.append((flavour, _search(folder, flavour, scene, backend, scoring), labels))
    seconds = time.perf_counter() - began
    _report(found, seconds)
    typer.echo(f"\nClips, CSV, JSON and labels are in {folder}/")
    typer.echo(NEXT)


def _search(folder: Path, flavour: str, scene: Scene, backend: str, scoring: str) -> list[Timeline]:
    """Search one clip for all classes of its flavour; print each event beside the truth."""
    import anyanomaly
    from anyanomaly_demo.scenes import CLASSES

    typer.echo(f"{flavour}.mp4   searched for: {', '.join(CLASSES[flavour])}")
    typer.echo(f"  {'found':<17}{'peak':<7}{'event':<12}{'truth':<17}reason")
    timelines, seen = [], []
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
            timelines.append(outcome)
            continue
        truth = _true_spans(scene, outcome)
        seen += truth
        spans = ", ".join(f"{start:.1f}-{stop:.1f} s" for _, start, stop in truth) or "not there"
        span = f"{outcome.start_s:.1f}-{outcome.stop_s:.1f} s"
        typer.echo(f"  {span:<17}{outcome.peak:<7.2f}{outcome.text:<12}{spans:<17}{outcome.rationale}")
    for name, start, stop in _spans(scene):
        if (name, start, stop) not in seen:
            typer.echo(f"  {'missed':<17}{'':<7}{name:<12}{start:.1f}-{stop:.1f} s")
    typer.echo("")
    return timelines


def _spans(scene: Scene) -> list[tuple[str, float, float]]:
    from anyanomaly_demo.scenes import FPS

    return [(event.name, event.start / FPS, event.stop / FPS) for event in scene.events]


def _true_spans(scene: Scene, event: Event) -> list[tuple[str, float, float]]:
    return [s for s in _spans(scene) if s[0] == event.text and s[1] < event.stop_s and event.start_s < s[2]]


def _report(found: Sequence[tuple[str, list[Timeline], Labels]], seconds: float) -> None:
    from anyanomaly_demo.measure import auc

    typer.echo(f"Frame-level AUC     {''.join(f'{flavour:>12}' for flavour, _, _ in found)}")
    for title, names in MIXES.items():
        weights = {name: WEIGHTS[name] for name in names}
        row = "".join(f"{auc(timelines, labels, weights):>12.3f}" for _, timelines, labels in found)
        typer.echo(f"  {title:<18}{row}")
    n_frames = sum(len(timeline.times_s) for _, timelines, _ in found for timeline in timelines[:1])
    n_texts = len(found[0][1])
    typer.echo(
        f"\n{n_frames} frames, {n_texts} event texts each, in {seconds:.0f} s with loading: "
        f"{n_frames / seconds:.1f} frames/s for {n_texts} texts, {n_frames * n_texts / seconds:.0f} frames/s per text"
    )
