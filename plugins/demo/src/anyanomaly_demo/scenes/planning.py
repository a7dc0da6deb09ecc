"""Makes a scene from a seed: style, background, bystanders and events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from anyanomaly_demo.scenes import actions, appearance, bystanders
from anyanomaly_demo.scenes.actors import Actor, Stage
from anyanomaly_demo.scenes.background import draw_background, light
from anyanomaly_demo.scenes.constants import ACTION, APPEARANCE, CLASSES
from anyanomaly_demo.scenes.scene import Scene, SceneEvent
from anyanomaly_demo.scenes.style import sample_style

_BUILDERS: dict[str, Callable[[Stage], list[Actor]]] = {**appearance.BUILDERS, **actions.BUILDERS}
_MAX_TRIES = 12  # an event that is hardly visible is sampled again
_MIN_VISIBLE_FRAMES = 14


def make_scene(
    seed: int,
    *,
    flavour: str | None = None,
    style: str = "standard",
    n_frames: int | None = None,
    events: Sequence[str] | None = None,
) -> Scene:
    """Make the scene of ``seed``.

    :param flavour: "appearance", "action", or None for both kinds of events and bystanders.
    :param style: "standard" or "held-out".
    :param n_frames: 36 or more; None: 96 to 144, sampled.
    :param events: the classes of the events, one event for each mention; empty: no events; None: sampled.
    :raises ValueError: when the flavour, style or a class is unknown, or the clip is too short.
    """
    if flavour is not None and flavour not in CLASSES:
        raise ValueError(f"unknown flavour {flavour!r}; use one of: {', '.join(CLASSES)}")
    if n_frames is not None and n_frames < 36:
        raise ValueError(f"a scene needs 36 frames or more; n_frames is {n_frames}")
    if unknown := sorted(set(events or ()) - set(_BUILDERS)):
        raise ValueError(f"unknown class {', '.join(unknown)}; use some of: {', '.join(_BUILDERS)}")
    rng = np.random.default_rng(seed)
    clip_style = sample_style(rng, style)
    n = int(rng.integers(96, 145))
    stage = Stage(rng, clip_style, n if n_frames is None else n_frames)
    sampled_events = _sample_events(rng, flavour)  # also where ``events`` is set: later random numbers stay the same
    event_names = sampled_events if events is None else tuple(events)
    background = draw_background(rng, clip_style)
    scene = Scene(seed, clip_style, stage.n, background, light(clip_style), ())
    background_actors = _sample_bystanders(stage, flavour or str(rng.choice(tuple(CLASSES))))
    actors, spans = list(background_actors), []
    for name in event_names:
        event_actors, span = _place_event(stage, scene, actors, name)
        actors += event_actors
        spans.append(span)
    return replace(
        scene, actors=tuple(actors), events=tuple(sorted(spans, key=lambda event: (event.start, event.name))), _boxes={}
    )


def _sample_events(rng: np.random.Generator, flavour: str | None) -> tuple[str, ...]:
    """Sample the classes of the events: none in a quarter of the scenes, else one to three, of up to two classes."""
    names = CLASSES[flavour] if flavour else (*APPEARANCE, *ACTION)
    count = int(rng.choice(4, p=(0.25, 0.40, 0.25, 0.10)))
    kinds = rng.choice(names, size=2, replace=False).tolist()
    return tuple(str(kinds[int(rng.random() < 0.5)]) for _ in range(count))


def _sample_bystanders(stage: Stage, flavour: str) -> list[Actor]:
    rng = stage.rng
    actors: list[Actor] = []
    for _ in range(int(rng.integers(2, 5))):
        actors += bystanders.pedestrian(stage)
    kinds = bystanders.LOOK_ALIKES[flavour]
    for _ in range(int(rng.integers(0, 4) if flavour == "action" else rng.integers(0, 3))):
        actors += kinds[int(rng.integers(len(kinds)))](stage)
    things = bystanders.STATIC[flavour]
    for _ in range(int(rng.integers(1, 6))):
        actors.append(bystanders.static_thing(stage, things[int(rng.integers(len(things)))]))
    if stage.chance(0.3):
        actors.append(bystanders.foreground_thing(stage))
    return actors


def _place_event(stage: Stage, scene: Scene, actors: Sequence[Actor], name: str) -> tuple[list[Actor], SceneEvent]:
    """Sample an event until it is visible long enough among ``actors``; return the best try if none is."""
    best: tuple[int, list[Actor], SceneEvent] = (-1, [], SceneEvent(name, 0, 0))
    for _ in range(_MAX_TRIES):
        event_actors = _BUILDERS[name](stage)
        trial = replace(scene, actors=(*actors, *event_actors), _boxes={})
        new_numbers = range(len(actors), len(trial.actors))
        spans = [trial.span(number) for number in new_numbers if trial.actors[number].event is not None]
        spans = [span for span in spans if span[2]]
        n_visible = max((span[2] for span in spans), default=0)
        if n_visible > best[0]:
            start, stop = min((span[0] for span in spans), default=0), max((span[1] for span in spans), default=0)
            best = (n_visible, event_actors, SceneEvent(name, start, stop))
        if n_visible >= _MIN_VISIBLE_FRAMES:
            break
    return best[1], best[2]
