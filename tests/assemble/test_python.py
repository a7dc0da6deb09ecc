"""The Python API, with a plugin file as a user's own backend."""

from __future__ import annotations

from pathlib import Path

import pytest

import anyanomaly
from anyanomaly.errors import CapabilityError, InvalidOption, UnknownComponent, UsageError, VideoError
from anyanomaly.testing.videos import EVENT_TEXT, synthetic_frames, synthetic_video

PLUGIN = """
from anyanomaly import BackendSpec, EncoderSpec, hookimpl
from anyanomaly.testing.fakes import FakeBackend, FakeEncoder

class Red(FakeBackend):
    def __init__(self, options):
        super().__init__(batch_size=16)

@hookimpl
def anyanomaly_register_backends():
    return [
        BackendSpec(name="red", summary="s", target="python_api_plugin:Red", logprobs=True),
        BackendSpec(name="cloud", summary="s", target="python_api_plugin:Red", network=True),
    ]

@hookimpl
def anyanomaly_register_encoders():
    return [EncoderSpec(name="colour", summary="s", target="anyanomaly.testing.fakes:FakeEncoder")]
"""


@pytest.fixture
def given(tmp_path: Path) -> dict[str, object]:
    plugin = tmp_path / "python_api_plugin.py"
    plugin.write_text(PLUGIN)
    return {"plugins": [str(plugin)], "backend": "red", "encoder": "colour", "run": {"store": False}}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    synthetic_video(tmp_path / "clip.mp4")
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize("scoring", ["words", "expected"])
def test_five_lines_find_the_event(given: dict[str, object], clip: Path, scoring: str) -> None:
    given["run"] = {"store": False, "scoring": scoring, "segment_frames": 8, "smooth_seconds": 0.1}
    found = list(anyanomaly.run(clip, EVENT_TEXT, **given))
    (line,) = anyanomaly.join_timelines(found)
    (event,) = [each for each in found if isinstance(each, anyanomaly.Event)]
    assert len(line.raw) == 96
    assert abs(event.start_s - 1.0) < 0.35
    assert abs(event.stop_s - 2.0) < 0.35


def test_a_run_that_is_left_early_is_interrupted(given: dict[str, object], clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    outcomes = anyanomaly.run(clip, [EVENT_TEXT, "a dog"], **given, sink=[{"path": str(path)}])
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]  # it is a generator
    assert anyanomaly.read_results(f"{path}.partial").status == "interrupted"
    assert not path.exists()


def test_videos_of_one_name_are_told_apart(given: dict[str, object], tmp_path: Path) -> None:
    for camera in ("north", "south"):
        synthetic_frames(tmp_path / camera / "frames", n_frames=24)
    folders = [tmp_path / camera / "frames" for camera in ("north", "south")]
    found = anyanomaly.run(folders, "car", **given)
    ids = [timeline.video.id for timeline in anyanomaly.join_timelines(found)]
    assert ids == ["north/frames", "south/frames"]


def test_a_broken_video_beside_a_sound_one_is_told_at_the_end(given: dict[str, object], clip: Path) -> None:
    broken = clip.with_name("broken.mp4")
    broken.write_text("no video")
    found = []
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        found.extend(into(found, anyanomaly.run([broken, clip], "car", **given)))
    assert any(isinstance(each, anyanomaly.Timeline) for each in found)


def into(found: list[object], outcomes: object) -> list[object]:
    for each in outcomes:  # type: ignore[attr-defined]
        found.append(each)  # noqa: PERF402  # one by one: the end raises
    return []


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"backend": "redd"}, UnknownComponent, "Did you mean 'red'"),
        ({"backend": "cloud"}, CapabilityError, "--allow-network"),
        ({"backend": "replay"}, UsageError, "needs a file"),
        ({"reader": {"maxside": 3}}, InvalidOption, "Did you mean 'max_side'"),
        ({"context": {"position": {"small": 0, "middle": 0, "large": 0}}}, InvalidOption, "at least one of large"),
        ({"context": {n: {"weight": 0} for n in ("key", "position", "temporal")}}, UsageError, "weight 0"),
        ({"run": {"every": 30}}, UsageError, "lower --every"),
        ({"videos": []}, UsageError, "There is no video to search"),
        ({"prompt": {"name": "nice"}}, InvalidOption, "There is no prompt 'nice'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_is_loaded(
    given: dict[str, object], clip: Path, changes: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        list(anyanomaly.run(**{"videos": clip, "texts": "car", **given, **changes}))


@pytest.mark.parametrize("windows", [1, 3])
def test_results_can_be_replayed_without_the_model(
    given: dict[str, object], clip: Path, tmp_path: Path, windows: int
) -> None:
    results = tmp_path / "r.jsonl"
    given["context"] = {"temporal": {"windows": windows}}
    first = list(anyanomaly.run(clip, "red", **given, sink=[{"path": results}]))
    given["backend"] = {"name": "replay", "path": str(results)}
    again = list(anyanomaly.run(clip, "red", **given))
    for one, other in zip(first, again, strict=True):
        if isinstance(one, anyanomaly.Timeline):
            assert isinstance(other, anyanomaly.Timeline)
            assert (one.raw == other.raw).all()
        else:
            assert one == other
