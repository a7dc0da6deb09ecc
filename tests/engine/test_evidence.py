"""Evidence: what the model saw and answered at the peak of each event, and of the highest segment without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from anyanomaly.api import Options, Reader
from anyanomaly.core.expected import SCORES
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.evidence import encode_picture, small_views
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.run import Run
from anyanomaly.engine.settings import ReasonRule, RunSettings
from anyanomaly.errors import BackendError
from anyanomaly.evidence import Evidence, Picture
from anyanomaly.testing.fakes import EndlessReader, FakeBackend
from anyanomaly.types import Event, Query, Sampling, SegmentScore, Timeline, Video
from tests.engine.parts import ListReader, ListSink, planner, settings


class EvidenceSink(ListSink):
    """Keeps evidence and videos too."""

    wants_evidence = True

    def write_video(self, video: Video) -> None:
        self.got.append(video)

    def write_evidence(self, evidence: Evidence) -> None:
        self.got.append(evidence)


def kept(results: Sequence[object], kind: type[Any]) -> list[Any]:
    return [result for result in results if isinstance(result, kind)]


def run(of: RunSettings, backend: FakeBackend, reader: Reader[Options], sink: ListSink, **changes: Any) -> Run:
    backend.load()
    outputs = changes.pop("outputs", None) or Outputs([sink])
    return Run(of, [(reader, reader.probe("v"))], planner(of)[0], backend, outputs, None, {}, **changes)


def pixels(picture: Picture) -> np.ndarray[Any, Any]:
    decoded = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[..., ::-1]


def test_an_event_comes_after_the_evidence_of_its_peak() -> None:
    sink = EvidenceSink()
    outcomes = list(run(settings(smooth_seconds=0.2), FakeBackend(), ListReader(), sink))
    (evidence,), (event,) = kept(sink.got, Evidence), kept(sink.got, Event)
    assert isinstance(sink.got[0], Video)
    assert sink.got.index(evidence) == sink.got.index(event) - 1
    assert evidence in outcomes
    assert evidence.start_s <= event.peak_s < evidence.stop_s
    assert (evidence.video, evidence.text) == (event.video, event.text) == ("v", "red car")
    assert dict(evidence.weights) == {"key": 0.6, "position": 0.3, "temporal": 0.1}
    assert [exchange.context for exchange in evidence.exchanges] == ["key", "position", "temporal"]
    key = evidence.exchanges[0]
    assert (key.system, key.question) == ("You look.", "Is there red car?\n")
    assert (key.answer, key.reason, key.score) == ("1.0. It is that red.", "It is that red.", 1.0)
    assert event.rationale == key.reason
    (score,) = [score for score in kept(sink.got, SegmentScore) if score.segment == evidence.segment]
    assert score.value == evidence.value
    assert evidence.key_frame.frame == score.key_frame
    assert [frame.frame for frame in evidence.frames] == list(dict.fromkeys(score.sequence))
    assert all(score.start <= frame < score.stop for frame in (score.key_frame, *score.sequence))


def test_pictures_are_what_the_model_saw() -> None:
    seen: dict[Any, Any] = {}

    def answer(query: Query) -> str:
        seen[query.id] = query.images
        return "0.9" if query.id.segment == 3 else "0.1"

    sink = EvidenceSink()
    list(run(settings(), FakeBackend(answer), ListReader(), sink))
    (evidence,) = kept(sink.got, Evidence)
    assert evidence.segment == 3
    for exchange in evidence.exchanges:
        images = seen["v", 3, "red car", exchange.context, exchange.index]
        for picture, image in zip(exchange.pictures, images, strict=True):
            assert (picture.height, picture.width) == image.shape[:2] == pixels(picture).shape[:2]
            assert np.abs(pixels(picture).astype(int) - image).mean() < 12  # JPEG of very small pictures
    key, position, temporal = evidence.exchanges
    assert key.pictures[0] is evidence.key_frame
    assert evidence.key_frame.time_s == pytest.approx(evidence.key_frame.frame / 10)
    assert {picture.frame for picture in (*position.pictures, *temporal.pictures)} == {None}
    assert max(position.views["attention"].shape) == 32
    assert position.views["attention"].max() == pytest.approx(1, abs=0.1)
    assert temporal.views["window"].shape == (4,)


def test_a_text_without_an_event_has_the_evidence_of_its_highest_segment() -> None:
    def answer(query: Query) -> str:
        high = {("red car", 1): "0.9", ("red bus", 2): "0.3"}
        return high.get((query.id.text, query.id.segment), "0.1")

    sink = EvidenceSink()
    texts = ("red car", "red bus", "red dog")
    list(run(settings(texts=texts, smooth_seconds=0.0), FakeBackend(answer), ListReader(), sink))
    assert [event.text for event in kept(sink.got, Event)] == ["red car"]
    evidence = {(entry.text, entry.segment) for entry in kept(sink.got, Evidence)}
    assert evidence == {("red car", 1), ("red bus", 2), ("red dog", 0)}
    assert len(kept(sink.got, Evidence)) == 3


def test_without_a_sink_that_wants_it_nothing_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly.engine.evidence.encode_picture", None)
    sink = ListSink()
    outcomes = list(run(settings(), FakeBackend(), ListReader(), sink))
    assert kept(outcomes, Event)
    assert not kept(outcomes, Evidence)


def test_scores_events_and_timelines_are_those_of_a_run_without_evidence() -> None:
    of = settings(texts=("red car", "red bus"), smooth_seconds=0.2)
    results = []
    for sink in (ListSink(), EvidenceSink()):
        list(run(of, FakeBackend(batch_size=4, reorder=True), ListReader(90), sink))
        results.append([result for result in sink.got if not isinstance(result, Video | Evidence)])
    for one, other in zip(*results, strict=True):
        assert type(one) is type(other)
        if isinstance(one, Event):
            assert one == other
        elif isinstance(one, SegmentScore):
            assert (one.value, one.scores) == (other.value, other.scores)
        elif isinstance(one, Timeline):
            np.testing.assert_array_equal(one.smooth, other.smooth)


def test_a_reason_that_is_asked_for_later_is_in_it() -> None:
    why = PromptTemplate("why", "Why is there {text}?", system="You tell.")
    of = settings(sampling=Sampling(choices=SCORES, max_tokens=30), reason=ReasonRule(0.2, why), smooth_seconds=0.2)
    sink = EvidenceSink()
    list(run(of, FakeBackend(), ListReader(), sink))
    best = max(kept(sink.got, Evidence)[0].exchanges, key=lambda exchange: exchange.score)
    assert best.reason == "It is that red."
    assert best.answer == ""
    assert best.logprobs is not None
    assert set(best.logprobs) == set(SCORES)
    assert best.mass is not None


def test_a_run_that_is_repeated_writes_nothing_twice() -> None:
    sink = EvidenceSink()
    outputs = Outputs([sink])
    of = settings(smooth_seconds=0.2, texts=("red car", "red bus"))
    with pytest.raises(BackendError):
        list(run(of, FakeBackend(fail_at=40), ListReader(96), sink, outputs=outputs, is_repeatable=True))
    assert kept(sink.got, Timeline)
    list(run(of, FakeBackend(), ListReader(96), sink, outputs=outputs, is_repeatable=True))
    whole = EvidenceSink()
    list(run(of, FakeBackend(), ListReader(96), whole))
    assert [type(result) for result in sink.got] == [type(result) for result in whole.got]
    assert kept(sink.got, Event) == kept(whole.got, Event)


def test_a_live_video_has_evidence_as_it_goes() -> None:
    sink = EvidenceSink()
    outcomes = iter(run(settings(segment_frames=8, smooth_seconds=0.2), FakeBackend(), EndlessReader(Options()), sink))
    while len(kept(sink.got, Event)) < 3:
        next(outcomes)
    outcomes.close()
    events, evidence = kept(sink.got, Event), kept(sink.got, Evidence)
    assert all(entry.start_s <= event.peak_s < entry.stop_s for event, entry in zip(events, evidence, strict=True))


def test_large_pictures_are_scaled_down_and_small_ones_kept() -> None:
    image = np.zeros((1000, 1500, 3), np.uint8)
    image[:, 750:] = (200, 30, 10)
    picture = encode_picture(image, 640)
    assert (picture.width, picture.height) == (640, 427)
    np.testing.assert_allclose(pixels(picture)[200, [100, 600]], [[0, 0, 0], [200, 30, 10]], atol=6)
    thin = encode_picture(np.zeros((1, 5000, 3), np.uint8), 640)
    assert (thin.width, thin.height) == (640, 1)
    assert encode_picture(image, 640) == replace(picture)


def test_views_are_small_and_their_own_memory() -> None:
    large = np.arange(224 * 224, dtype=np.float64).reshape(224, 224)
    views = small_views(
        {
            "large": large,
            "wide": np.ones((2, 4000)),
            "window": np.array([1, 2, 3, 4]),
            "similarity": large[:50, :4],
            "cube": np.zeros((40, 40, 3)),
            "names": np.array(["a"]),
            "mask": np.ones((40, 40), bool),
        }
    )
    assert {name: view.shape for name, view in views.items()} == {
        "large": (32, 32),
        "wide": (2, 32),
        "window": (4,),
        "similarity": (50, 4),
        "mask": (32, 32),
    }
    assert views["large"].mean() == pytest.approx(large.mean(), rel=1e-5)
    assert not np.shares_memory(views["similarity"], large)
    assert views["window"].tolist() == [1, 2, 3, 4]
