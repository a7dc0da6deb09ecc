"""What gates save on the demo's clips, and what that costs: the curve of budgets, and a mostly still video.

    python benchmarks/speed/gates.py curve [--clips 20] [--gates motion similarity] [--scores FILE ...] [--record]
    python benchmarks/speed/gates.py still [--minutes 60] [--events 6] [--record]
    python benchmarks/speed/gates.py presets [--clips 8] [--split held-out] [--record]

``curve``: a full run over test clips of both kinds, with the demo's own settings and expected scores; then
`anyanomaly eval --budget-curve`. ``--scores`` names the results of earlier full runs, one per kind.

``still``: a video of a clip's background with the noise of a sensor, in which the clip itself passes now and then. It
is searched with and without the gate in one process, without stored answers; the ratio of the times is the figure.

``presets``: the presets `paper`, `default` and `fast` on the same clips in one process, without stored answers, with
the demo's models and threshold.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from anyanomaly_demo.dataset import DemoDataset
from anyanomaly_demo.options import DemoDatasetOptions
from anyanomaly_demo.scenes import CLASSES
from anyanomaly_demo.search_settings import CONTEXTS, SELECTOR, SMOOTH_S, THRESHOLD
from results import add_record_options, origin, record, table

import anyanomaly
from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.cli import main as command
from anyanomaly.config.load import config_from_tables
from anyanomaly.registry import load
from anyanomaly.types import Event

GATES = ("motion", "similarity")
RECALL, AUC_LOSS, SHARE = 0.95, 0.01, 0.2
"""At this share of the questions a gate should keep this fraction of the event recall, and lose at most this AUC."""
NOISE = 2.0
"""Standard deviation of the noise of a sensor, in grey levels of 256."""
KEY_FRAMES = 250
FLAVOURS = ("appearance", "action")
PRESETS = ("fast", "default", "paper")


def settings(**run: Any) -> dict[str, Any]:
    """Return the demo's own settings with expected scores, as tables of a config file."""
    return {
        "encoder": "demo-clip",
        "backend": "demo-hf",
        "selector": SELECTOR,
        "contexts": list(CONTEXTS),
        "context": CONTEXTS,
        "run": {"scoring": "expected", "threshold": THRESHOLD, "smooth_seconds": SMOOTH_S, **run},
    }


def full_run(flavour: str, clips: int, root: str, folder: Path) -> Path:
    """Ask everything about the clips of a flavour, and return the file with the scores."""
    path = folder / f"full-{flavour}.jsonl"
    dataset = {"name": "demo", "flavour": flavour, "n_videos": clips}
    tables = settings(reason_above=None)
    anyanomaly.evaluate(dataset, root=root or None, protocols="fixed", sink=[{"path": str(path)}], **tables)
    return path


def draw_curve(flavour: str, scores: Path, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Draw the curve of one flavour as the command line does, and return its figures."""
    outputs = [folder / f"gates-{flavour}.{suffix}" for suffix in ("json", "svg")]
    flags = ["--dataset.flavour", flavour, "--dataset.n-videos", str(arguments.clips), "--scores", str(scores)]
    flags += ["--root", arguments.root] if arguments.root else []
    flags += [word for gate in arguments.gates for word in ("--gate", gate)]
    flags += ["--gate-rule", arguments.rule, *(word for path in outputs for word in ("-o", str(path)))]
    code = command(["eval", "demo", "--budget-curve", *flags])
    if code:
        raise SystemExit(code)
    content: dict[str, Any] = json.loads(outputs[0].read_text(encoding="utf-8"))
    return content


def curve_table(curves: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of all flavours, gates and budgets as a table."""
    rows = []
    for flavour, curve in curves.items():
        full = [{"name": "full run", "points": [curve["full"]]}]
        for entry in [*full, *curve["curves"]]:
            for point in entry["points"]:
                difference = point["auc_difference"]["value"]
                rows.append(
                    {
                        "events": flavour,
                        "gate": entry["name"],
                        "budget": "" if entry in full else f"{point['budget']:.0%}",
                        "questions": f"{point['questions']:.1%}",
                        "AUC": f"{point['auc']['value']:.3f}",
                        "minus full": f"{difference:+.3f}",
                        "event recall": f"{point['event_recall']['value']:.2f}",
                        "of the full run's": f"{relative_recall(point, curve):.2f}",
                        "false alarms per hour": f"{point['false_alarms_per_hour']['value']:.1f}",
                        "lost events": f"{point['lost_count']:g} of {len(curve['events'])}",
                    }
                )
    return table(rows)


def relative_recall(point: Mapping[str, Any], curve: Mapping[str, Any]) -> float:
    """Return the event recall of a point as a fraction of that of the full run."""
    full = curve["full"]["event_recall"]["value"]
    return float(point["event_recall"]["value"] / full) if full else float("nan")


def verdicts(curves: Mapping[str, Mapping[str, Any]]) -> str:
    """Return, per gate, whether it keeps recall and AUC at a fifth of the questions, and the events that it loses."""
    lines = []
    for flavour, curve in curves.items():
        for entry in curve["curves"]:
            if entry["kind"] not in ("gate", "combination"):
                continue
            point = next(point for point in entry["points"] if point["budget"] == SHARE)
            recall, loss = relative_recall(point, curve), -point["auc_difference"]["value"]
            reached = recall >= RECALL and loss <= AUC_LOSS
            lines.append(
                f"* {flavour}, {entry['name']}, budget {SHARE:.0%}: {'reached' if reached else 'not reached'} "
                f"({recall:.3f} of the full run's event recall, AUC {-loss:+.4f}). Lost: {list_events(point['lost'])}."
            )
    return "\n".join(lines)


def list_events(events: Sequence[Mapping[str, Any]]) -> str:
    """Return events as a list in words."""
    return (
        "; ".join(f"{e['text']} in {e['video']} at {e['start_s']:.1f} to {e['stop_s']:.1f} s" for e in events) or "none"
    )


def write_still(path: Path, clip: Path, minutes: float, n_events: int) -> list[tuple[float, float]]:
    """Write a still video with the noise of a sensor, in which a clip passes now and then; return when, in seconds.

    The background is the median of the clip's frames, and the clip is faded into it for half a second.
    """
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    background = np.median(np.stack(frames[::2]), axis=0).astype(np.float32)
    n_frames = round(minutes * 60 * rate)
    starts = [round((number + 0.5) * n_frames / n_events) for number in range(n_events)]
    passing = {start + number: number for start in starts for number in range(min(len(frames), n_frames - start))}
    fade = round(rate / 2)
    rng = np.random.default_rng(0)
    noises = [rng.normal(0, NOISE, background.shape).astype(np.float32) for _ in range(16)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
        stream.height, stream.width = background.shape[:2]
        stream.pix_fmt, stream.gop_size = "yuv420p", KEY_FRAMES
        for index in range(n_frames):
            picture = background
            if (number := passing.get(index)) is not None:
                part = min(1.0, (number + 1) / fade, (len(frames) - number) / fade)
                picture = background + part * (frames[number] - background)
            noisy = picture + np.roll(noises[rng.integers(len(noises))], int(rng.integers(10_000)), axis=1)
            image = av.VideoFrame.from_ndarray(noisy.clip(0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(image))
        container.mux(stream.encode())
    return [(start / float(rate), (start + len(frames)) / float(rate)) for start in starts]


def search(path: Path, texts: Sequence[str], tables: Mapping[str, Any]) -> tuple[float, list[Event], int]:
    """Search the video; return seconds without loading the models, the events, and the number of questions."""
    config = config_from_tables({**tables, "texts": list(texts), "videos": [str(path)]})
    with Pipeline(config, load()) as pipeline:
        begin_s = time.perf_counter()
        events = [outcome for outcome in pipeline.run() if isinstance(outcome, Event)]
        return time.perf_counter() - begin_s, events, pipeline.report.n_asked


def measure_still(arguments: argparse.Namespace) -> str:
    """Search a still video with and without gates, and return the figures as text."""
    options = DemoDatasetOptions(flavour="appearance", n_videos=arguments.clip + 1, root=arguments.root)
    with DemoDataset(options) as dataset:
        clip = list(dataset.videos())[arguments.clip]
    labels = clip.labels
    texts = [text for text in CLASSES["appearance"] if labels[text].any()][: arguments.texts]
    tables = settings(store=False)
    gates = {"gates": arguments.gates, "run": {**tables["run"], "gate_rule": arguments.rule}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "still.mp4"
        passes = write_still(path, Path(clip.uri), arguments.minutes, arguments.events)
        print(f"{path.stat().st_size / 2**20:.1f} MiB; the clip passes at {passes}", flush=True)
        rows, times_s, events = [], {}, {}
        for name, tables_of_run in (("with the gate", {**tables, **gates}), ("without", tables)):
            times_s[name], events[name], n_questions = search(path, texts, tables_of_run)
            rows.append(
                {
                    "run": name,
                    "seconds": f"{times_s[name]:.1f}",
                    "times real time": f"{60 * arguments.minutes / times_s[name]:.1f}",
                    "questions": n_questions,
                    "events": len(events[name]),
                }
            )
            print(rows[-1], flush=True)
    ratio = times_s["without"] / times_s["with the gate"]
    missing = [event for event in events["without"] if not overlaps(event, events["with the gate"])]
    extra = [event for event in events["with the gate"] if not overlaps(event, events["without"])]
    return (
        f"{arguments.minutes:g} minutes of a still scene with the noise of a sensor, in which a clip of "
        f"{passes[0][1] - passes[0][0]:.0f} s passes {arguments.events} times; texts: {', '.join(texts)}; gates: "
        f"{f' {arguments.rule} '.join(arguments.gates)}. One process, models loaded before, no stored answers.\n\n"
        f"{table(rows)}\n{ratio:.1f} times faster with the gate. Events that only the run without it found: "
        f"{describe_events(missing)}; that only the run with it found: {describe_events(extra)}."
    )


def overlaps(event: Event, candidates: Sequence[Event]) -> bool:
    """Return whether one of the others is of the same text and overlaps the event."""
    return any(o.text == event.text and o.start_s < event.stop_s and event.start_s < o.stop_s for o in candidates)


def describe_events(events: Sequence[Event]) -> str:
    """Return events as a list in words."""
    return "; ".join(f"{event.text} at {event.start_s:.1f} to {event.stop_s:.1f} s" for event in events) or "none"


def measure_curves(arguments: argparse.Namespace) -> str:
    """Draw the curve of each flavour and return the figures as text; with ``--record``, keep the pictures."""
    curves = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, flavour in enumerate(arguments.flavours):
            files = arguments.scores
            scores = Path(files[number]) if files else full_run(flavour, arguments.clips, arguments.root, folder)
            curves[flavour] = draw_curve(flavour, scores, arguments, folder)
            if arguments.record:
                (arguments.results / "results").mkdir(parents=True, exist_ok=True)
                picture = (folder / f"gates-{flavour}.svg").read_bytes()
                (arguments.results / "results" / f"gates-{flavour}.svg").write_bytes(picture)
    pictures = "".join(
        f"\n![{flavour}: figures against questions](results/gates-{flavour}.svg)\n" for flavour in curves
    )
    return (
        f"Test clips of the demo, {arguments.clips} of each kind, expected scores, the demo's own settings; budgets "
        f"are shares of the segments. The aim at {SHARE:.0%}: {RECALL} of the full run's event recall, and an AUC at "
        f"most {AUC_LOSS} lower.\n\n{verdicts(curves)}\n\n{curve_table(curves)}{pictures}"
    )


def measure_presets(arguments: argparse.Namespace) -> str:
    """Run the presets over the same clips and return the figures as text."""
    rows = []
    for flavour in arguments.flavours:
        dataset = {"name": "demo", "flavour": flavour, "n_videos": arguments.clips, "split": arguments.split}
        for preset in PRESETS:
            tables = {"encoder": "demo-clip", "backend": "demo-hf", "run": {"threshold": THRESHOLD, "store": False}}
            root = arguments.root or None
            result = anyanomaly.evaluate(dataset, root=root, protocols="fixed", preset=preset, **tables)
            fixed = result.protocols["fixed"]
            events = [entry.events for entry in fixed.classes.values() if entry.events]
            n_labelled = sum(entry.n_labelled for entry in events)
            assert fixed.mean is not None
            assert fixed.mean.auc is not None
            assert result.answers is not None
            rows.append(
                {
                    "events": flavour,
                    "preset": preset,
                    "AUC": f"{fixed.mean.auc:.3f}",
                    "event recall": f"{sum(entry.n_detected for entry in events) / n_labelled:.2f}",
                    "false alarms": sum(entry.n_false_alarms for entry in events),
                    "questions": result.answers.n_asked,
                    "seconds": f"{result.seconds:.0f}",
                }
            )
            print(rows[-1], flush=True)
    return (
        f"{arguments.clips} clips of each kind of the demo's split {arguments.split}, with the demo's models and "
        f"threshold; seconds with loading. One process, no stored answers.\n\n{table(rows)}"
    )


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["curve", "still", "presets"])
    parser.add_argument("--gates", nargs="+", help="default: motion and similarity; still: motion")
    parser.add_argument("--rule", default="or", choices=["and", "or", "max"], help="how several gates become one")
    parser.add_argument("--root", default="", help="folder of the clips; default: the user's cache")
    parser.add_argument("--clips", type=int, default=20, help="curve and presets: number of clips of each kind")
    parser.add_argument("--split", default="test", choices=["validation", "test", "held-out"], help="presets: of clips")
    parser.add_argument("--flavours", nargs="+", default=list(FLAVOURS), choices=FLAVOURS)
    parser.add_argument("--scores", nargs="+", help="curve: .jsonl files of full runs, one per kind")
    parser.add_argument("--minutes", type=float, default=60, help="still: length of the video")
    parser.add_argument("--events", type=int, default=6, help="still: how often the clip passes")
    parser.add_argument("--clip", type=int, default=1, help="still: number of the test clip")
    parser.add_argument("--texts", type=int, default=1, help="still: number of event texts")
    add_record_options(parser)
    return parser


def main() -> None:
    """Measure, print, record."""
    arguments = make_parser().parse_args()
    arguments.gates = arguments.gates or (["motion"] if arguments.what == "still" else list(GATES))
    measure, name, title = {
        "curve": (measure_curves, "gates", "Gates: what they save and what they lose"),
        "still": (measure_still, "gates-still", "Gates: a mostly still video"),
        "presets": (measure_presets, "gates-presets", "Presets by machine"),
    }[arguments.what]
    text = measure(arguments)
    print(text)
    if arguments.record:
        record(name, title, text, arguments.results, [origin()])


if __name__ == "__main__":
    main()
