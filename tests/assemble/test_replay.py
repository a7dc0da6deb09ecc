"""Stored results give every output the bytes that the run itself gave it."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import anyanomaly
from anyanomaly.api import RunEnd
from anyanomaly.assemble.replay import replay
from anyanomaly.assemble.stored_runs import engine_settings, read_stored_run
from anyanomaly.config.model import RunConfig
from anyanomaly.core.fuse import fuse
from anyanomaly.core.gate import combine_priorities, unasked_value
from anyanomaly.engine.evidence import DraftEvidence
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.track import Tracker
from anyanomaly.errors import InputError
from anyanomaly.evidence import Evidence, Truth
from anyanomaly.types import Event, Notice, QueryId, Score, SegmentScore, Timeline, Video
from tests.results.files import HEADER, evidence, new_sink, write_gated_results, write_results

TEXTS = ("a car", '=größe, "x"')
QUICK = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
LOW_PRIORITY = 1 / 3
"""Of segments that are not asked."""
NAMES = ("r.jsonl", "r.jsonl.gz", "r.parquet", "r.csv", "r.json")


@dataclass(frozen=True)
class MadeRun:
    """A run whose scores are made, as the engine would give it to the sinks."""

    config: dict[str, Any]
    videos: tuple[Video, ...]
    values: tuple[float, ...]  # of the segments, one context after the other, again from the first after the last
    steps: tuple[float, ...]  # times between frames, as fractions of the nominal ones
    priorities: tuple[tuple[float, ...], ...]  # of the gates; 0 for all: the segment is not asked; as values
    asked: tuple[bool, ...]  # whether a context of a segment that is asked is asked too; as values
    end: RunEnd | None

    def write(self, folder: Path) -> None:
        sinks = [new_sink(folder / name) for name in NAMES]
        for sink in sinks:
            sink.load()
            sink.begin(
                {**HEADER, "config": RunConfig.model_validate(self.config).model_dump(mode="json", exclude={"sink"})}
            )
        counts = {"n_segments": 0, "n_events": 0, "n_notices": 0}

        def write(outcome: Any) -> None:
            match outcome:
                case Event():
                    counts["n_events"] += 1
                case SegmentScore():
                    counts["n_segments"] += 1
                case Notice():
                    counts["n_notices"] += 1
            for sink in sinks:
                getattr(sink, METHODS[type(outcome)])(outcome)

        for video in self.videos:
            write(video)
            for outcome in self.outcomes(video):
                write(outcome)
            write(Truth(video.id, TEXTS[0], ((0.25, 0.75),)))
            write(Notice(video.id, "It is odd."))
        for sink in sinks:
            if self.end:
                sink.end(replace(self.end, **counts))
            sink.close()

    def outcomes(self, video: Video) -> Any:
        config = RunConfig.model_validate(self.config)
        run_settings = engine_settings(config, TEXTS)
        tracker = Tracker(video, run_settings)
        values, asked = iter(self.values * 1000), iter(self.asked * 1000)
        all_priorities = iter(self.priorities * 1000)
        times_s = np.cumsum([0.0, *(step / video.fps for step in self.steps * 100)]) if self.steps else None
        for number in range(4):
            start, stop = 3 * number, 3 * number + 3
            times = np.arange(start, stop) / video.fps if times_s is None else times_s[start:stop]
            for text in TEXTS:
                priorities = dict(zip(config.gates, next(all_priorities), strict=True))
                is_asked = not config.gates or any(priorities.values())
                scores = {}
                for name in config.contexts:
                    is_context_asked = is_asked and (name == config.contexts[0] or next(asked))
                    value = next(values) if is_context_asked else math.nan
                    answer = f"{value}. Why {text}." if is_context_asked else ""
                    scores[name] = Score(QueryId(video.id, number, text, name), value, answer, None, is_context_asked)
                value = fuse({name: score.value for name, score in scores.items()}, run_settings.weights)
                if not is_asked:
                    priorities = dict.fromkeys(priorities, LOW_PRIORITY)
                    priority = combine_priorities(priorities.values(), config.run.gate_rule)
                    value = unasked_value(priority, config.run.threshold)
                score = SegmentScore(
                    video, number, start, stop, times, text, scores, value, start, (start, start + 2), priorities
                )
                yield score
                yield from tracker.push(score, Draft() if is_asked else None)
        yield from tracker.finish()


class Draft(DraftEvidence):
    """Evidence whose pictures are made up."""

    def __init__(self) -> None:
        pass

    def complete(self, score: SegmentScore, settings: RunSettings) -> Evidence:
        start_s, stop_s = float(score.times_s[0]), float(score.times_s[-1]) + 1 / score.video.fps
        made = evidence(score.text, video=score.video.id)
        exchanges = tuple(
            replace(made.exchanges[0], context=name, asked=part.asked, score=part.value if part.asked else math.nan)
            for name, part in score.scores.items()
        )
        return replace(
            made, segment=score.segment, start_s=start_s, stop_s=stop_s, weights=settings.weights,
            exchanges=exchanges, priorities=score.priorities,
        )  # fmt: skip


METHODS = {
    Video: "write_video",
    SegmentScore: "write_segment",
    Timeline: "write_timeline",
    Evidence: "write_evidence",
    Event: "write_event",
    Truth: "write_truth",
    Notice: "write_notice",
}


@st.composite
def made_runs(draw: st.DrawFn) -> MadeRun:
    scores = st.floats(0, 1) | st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0, math.nan])
    run = {
        "threshold": draw(st.floats(0, 1)),
        "smooth_seconds": draw(st.floats(0, 2)),
        "merge_seconds": draw(st.floats(0, 1)),
        "min_event_seconds": 0.0,
        "gate_rule": draw(st.sampled_from(["and", "or", "max"])),
        "clear_below": draw(st.sampled_from([None, 0.1])),
    }
    gates = draw(st.sampled_from([(), ("motion",), ("motion", "similarity")]))
    config = {
        "texts": TEXTS,
        "gates": gates,
        "contexts": ("key", "temporal"),
        "context": {"key": {"weight": draw(st.floats(0.01, 1))}, "temporal": {"weight": 0.5}},
        "run": run,
    }
    fps = draw(st.sampled_from([10.0, 25.0, 30000 / 1001]) | st.floats(0.1, 100))
    lives = draw(st.sampled_from([(False,), (False, False), (False, True)]))
    videos = tuple(Video(f"cam{n}", f"cam{n}.mp4", fps, 12, 4, 4, live) for n, live in enumerate(lives))
    values = tuple(draw(st.lists(scores, min_size=1, max_size=20)))
    steps = tuple(draw(st.just([]) | st.lists(st.floats(0.1, 3), min_size=1, max_size=9)))
    ends = [RunEnd("complete", 0, 0, 0), RunEnd("interrupted", 0, 0, 0), RunEnd("failed", 0, 0, 0, "It died."), None]
    priorities = st.tuples(*(st.sampled_from([0.0, 0.5]) | st.floats(0, 1) for _ in gates))
    all_priorities = tuple(draw(st.lists(priorities, min_size=1, max_size=9)))
    asked = tuple(draw(st.lists(st.booleans(), min_size=1, max_size=9))) if run["clear_below"] else (True,)
    return MadeRun(config, videos, values, steps, all_priorities, asked, draw(st.sampled_from(ends)))


def replay_files(paths: list[Path], folder: Path, names: tuple[str, ...] = NAMES, **changes: Any) -> None:
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(new_sink(folder / name)) for name in names]
        for _ in replay([read_stored_run(anyanomaly.read_results(path), **changes) for path in paths], sinks):
            pass


@QUICK
@given(made_runs(), st.sampled_from(["", ".gz"]))
def test_a_replay_writes_the_bytes_of_the_run(
    tmp_path_factory: pytest.TempPathFactory, run: MadeRun, packed: str
) -> None:
    folder, copies = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("replay")
    run.write(folder)
    suffix = "" if run.end and run.end.status == "complete" else ".partial"
    replay_files([folder / f"r.jsonl{packed}{suffix}"], copies)
    assert sorted(path.name for path in copies.iterdir()) == sorted(NAMES)
    for name in NAMES:
        if name == "r.parquet" and suffix:  # it had compressed lines when its run ended
            continue
        assert (copies / name).read_bytes() == (folder / f"{name}{suffix}").read_bytes(), name


@settings(QUICK, max_examples=15)
@given(made_runs())
def test_a_table_has_everything_but_the_evidence(tmp_path_factory: pytest.TempPathFactory, run: MadeRun) -> None:
    folder, copies = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("replay")
    run.write(folder)
    suffix = "" if run.end and run.end.status == "complete" else ".partial"
    replay_files([folder / f"r.parquet{suffix}"], copies)
    replay_files([copies / "r.parquet"], copies, ("again.jsonl", "again.parquet", "r.csv", "r.json"))
    for name in ("r.csv", "r.json"):
        assert (copies / name).read_bytes() == (folder / f"{name}{suffix}").read_bytes(), name
    lines = (folder / f"r.jsonl{suffix}").read_bytes().splitlines()
    assert (copies / "again.jsonl").read_bytes().splitlines() == [line for line in lines if b'"evidence"' not in line]
    assert (copies / "again.parquet").read_bytes() == (copies / "r.parquet").read_bytes()


@pytest.mark.parametrize("source", ["r.jsonl", "r.parquet"])
@settings(QUICK, max_examples=6)
@given(made_runs(), st.floats(0, 1), st.floats(0.01, 1))
def test_with_another_threshold_and_other_weights_what_was_not_asked_stays_below_the_threshold(
    tmp_path_factory: pytest.TempPathFactory, source: str, run: MadeRun, threshold: float, weight: float
) -> None:
    folder, copies = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("replay")
    run = replace(run, end=RunEnd("complete", 0, 0, 0))
    run.write(folder)
    table = run.config["run"] | {"threshold": threshold}
    context = {"key": {"weight": weight}, "temporal": {"weight": 0.5}}
    config = RunConfig.model_validate(run.config | {"run": table, "context": context})
    replay_files([folder / source], copies, ("new.jsonl",), config=config)
    rule = config.run.gate_rule
    before = list(anyanomaly.read_results(folder / "r.jsonl").segments)
    after = list(anyanomaly.read_results(copies / "new.jsonl").segments)
    assert [record.any_asked for record in after] == [record.any_asked for record in before]
    for record in after:
        if not record.any_asked:
            assert not any(record.is_asked(name) for name in record.scores)
            expected = unasked_value(combine_priorities(record.priorities.values(), rule), threshold)
            assert record.value is None or record.value == pytest.approx(expected, abs=1e-6)
            assert (record.value is None) == (threshold == 0)
            assert not record.value or record.value < threshold


def test_a_segment_that_was_not_asked_has_no_score_of_the_model_whatever_its_line_says(tmp_path: Path) -> None:
    path = write_gated_results(tmp_path / "r.jsonl")
    lines = path.read_text().splitlines()
    odd = json.loads(lines[3])
    odd["scores"]["key"] = {"value": 0.9, "answer": "0.9"}
    del odd["priorities"]
    path.write_text("".join(f"{line}\n" for line in [*lines[:3], json.dumps(odd), *lines[4:]]))
    run = read_stored_run(anyanomaly.read_results(path))
    _, score = (run.score(record) for record in anyanomaly.read_results(path).segments)
    assert not score.asked
    assert math.isnan(score.scores["key"].value)
    assert score.value == 0.2
    strict = read_stored_run(anyanomaly.read_results(path), RunConfig.model_validate({"run": {"threshold": 0.1}}))
    _, score = (strict.score(record) for record in anyanomaly.read_results(path).segments)
    assert math.isnan(score.value)


def test_several_runs_of_which_one_has_gates_keep_what_was_not_asked(tmp_path: Path) -> None:
    plain = write_results(tmp_path / "a.jsonl", video="yard")
    replay_files([plain, write_gated_results(tmp_path / "b.jsonl")], tmp_path, NAMES)
    both = anyanomaly.read_results(tmp_path / "r.jsonl")
    assert both.header["config"]["gates"] == ["motion", "similarity"]
    for name in ("r.jsonl", "r.parquet"):
        records = {(r.video, r.segment): r for r in anyanomaly.read_results(tmp_path / name).segments}
        assert [key for key, record in records.items() if not record.asked] == [("cam", 1)]
        assert records["cam", 1].priorities == {"motion": 0.25, "similarity": 0.0}
        assert records["yard", 1].priorities == {}
    rows = list(anyanomaly.read_results(tmp_path / "r.csv").frames)
    assert {(row.video, row.frame) for row in rows if not row.asked} == {("cam", 2), ("cam", 3)}
    assert {(row.video, row.frame) for row in rows if not row.contexts_asked["key"]} == {("cam", 2), ("cam", 3)}


def test_a_run_that_is_still_writing_is_read_up_to_where_it_was(tmp_path: Path) -> None:
    content = write_results(tmp_path / "r.jsonl").read_bytes()
    lines = content.splitlines(keepends=True)
    partial = tmp_path / "now.jsonl.partial"
    partial.write_bytes(b"".join(lines[:3]))
    run = read_stored_run(anyanomaly.read_results(partial))
    partial.write_bytes(content)
    with new_sink(tmp_path / "copy.jsonl") as sink:
        kinds = [type(outcome).__name__ for outcome in replay([run], [sink])]
    assert kinds[:3] == ["Video", "SegmentScore", "Timeline"]
    assert (tmp_path / "copy.jsonl").read_bytes().splitlines(keepends=True)[:3] == lines[:3]
    assert anyanomaly.read_results(tmp_path / "copy.jsonl").status == "unfinished"


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"start": 10**9, "stop": 10**9 + 1, "times": [1.0]}, "more than 10,000,000 frames"),
     ({"scores": {"other": {"value": 0.5}}}, "has other contexts")],
)  # fmt: skip
def test_segments_that_cannot_follow_each_other_are_refused(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    path = write_results(tmp_path / "r.jsonl")
    lines = path.read_text().splitlines()
    lines[3] = json.dumps(json.loads(lines[3]) | change)
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(InputError, match=rf"segment 1 of video 'cam' for 'a car' .*{reason}"):
        read_stored_run(anyanomaly.read_results(path))


def test_results_of_format_1_are_replayed(tmp_path: Path) -> None:
    lines = map(json.loads, write_results(tmp_path / "r.jsonl").read_text().splitlines())
    old = [line for line in lines if line["type"] not in ("video", "evidence", "truth")]
    for line in old:
        line.pop("key_frame", None), line.pop("sequence", None)
    old[0] |= {"format": 1, "config": {**HEADER["config"], "run": {"min_event_seconds": 0.1, "smooth_seconds": 0.0}}}
    (tmp_path / "old.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in old))
    replay_files([tmp_path / "old.jsonl"], tmp_path, ("new.jsonl", "new.csv"))
    new = anyanomaly.read_results(tmp_path / "new.jsonl")
    assert (new.status, new.format, len(new.events), new.videos[0].fps) == ("complete", 2, 1, 10.0)
    assert [row.time_s for row in anyanomaly.read_results(tmp_path / "new.csv").frames] == [0.0, 0.1, 0.2, 0.3]
