"""Draws a whole scene from a seed: looks, background, who is there, and which events happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from anyanomaly_demo.scenes import actions, appearance, bystanders
from anyanomaly_demo.scenes.actors import Actor, Stage
from anyanomaly_demo.scenes.background import light, render_background
from anyanomaly_demo.scenes.facts import ACTION, APPEARANCE, CLASSES
from anyanomaly_demo.scenes.scene import Scene, SceneEvent
from anyanomaly_demo.scenes.style import draw_style

_BUILDERS: dict[str, Callable[[Stage], list[Actor]]] = {**appearance.BUILDERS, **actions.BUILDERS}
_TRIES = 12  # an event that hardly shows is drawn again
_LEAST = 14  # frames in which it must be seen


def make_scene(
    seed: int,
    *,
    flavour: str | None = None,
    style: str = "standard",
    n_frames: int | None = None,
    events: Sequence[str] | None = None,
) -> Scene:
    """Draw a scene from ``seed``.

    :param flavour: "appearance", "action", or None for both kinds of events and bystanders.
    :param n_frames: 36 at least; None draws 96 to 144.
    :param events: which classes happen, each as often as it is named; empty: none; None: drawn.
    :raises ValueError: when there is no such flavour, style or class, or the clip is too short.
    """
    if flavour is not None and flavour not in CLASSES:
        raise ValueError(f"there is no flavour {flavour!r}: {', '.join(CLASSES)}")
    if n_frames is not None and n_frames < 36:
        raise ValueError(f"a scene needs 36 frames or more, not {n_frames}")
    if unknown := sorted(set(events or ()) - set(_BUILDERS)):
        raise ValueError(f"there is no class {', '.join(unknown)}: {', '.join(_BUILDERS)}")
    rng = np.random.default_rng(seed)
    looks = draw_style(rng, style)
    n = int(rng.integers(96, 145))
    stage = Stage(rng, looks, n if n_frames is None else n_frames)
    drawn = _draw_events(rng, flavour)
    wanted = drawn if events is None else tuple(events)
    background = render_background(rng, looks)
    scene = Scene(seed, looks, stage.n, background, light(looks), ())
    others = _bystanders(stage, flavour or str(rng.choice(tuple(CLASSES))))
    actors, spans = list(others), []
    for name in wanted:
        added, span = _event(stage, scene, actors, name)
        actors += added
        spans.append(span)
    return replace(scene, actors=tuple(actors), events=tuple(sorted(spans, key=lambda e: (e.start, e.name))), _boxes={})


def _draw_events(rng: np.random.Generator, flavour: str | None) -> tuple[str, ...]:
    """A quarter have none; the others one to three, of one or two classes."""
    names = CLASSES[flavour] if flavour else (*APPEARANCE, *ACTION)
    count = int(rng.choice(4, p=(0.25, 0.40, 0.25, 0.10)))
    kinds = rng.choice(names, size=2, replace=False).tolist()
    return tuple(str(kinds[int(rng.random() < 0.5)]) for _ in range(count))


def _bystanders(stage: Stage, flavour: str) -> list[Actor]:
    rng = stage.rng
    found: list[Actor] = []
    for _ in range(int(rng.integers(2, 5))):
        found += bystanders.pedestrian(stage)
    kinds = bystanders.LOOK_ALIKES[flavour]
    for _ in range(int(rng.integers(0, 4) if flavour == "action" else rng.integers(0, 3))):
        found += kinds[int(rng.integers(len(kinds)))](stage)
    still = bystanders.STILL[flavour]
    for _ in range(int(rng.integers(1, 6))):
        found.append(bystanders.static_thing(stage, still[int(rng.integers(len(still)))]))
    if stage.chance(0.3):
        found.append(bystanders.foreground(stage))
    return found


def _event(stage: Stage, scene: Scene, others: Sequence[Actor], name: str) -> tuple[list[Actor], SceneEvent]:
    """Draw an event until it is seen for a while among ``others``; the best of the tries if none is."""
    best: tuple[int, list[Actor], SceneEvent] = (-1, [], SceneEvent(name, 0, 0))
    for _ in range(_TRIES):
        added = _BUILDERS[name](stage)
        tried = replace(scene, actors=(*others, *added), _boxes={})
        spans = [tried.span(k) for k in range(len(others), len(tried.actors)) if tried.actors[k].event is not None]
        shown = [span for span in spans if span[2]]
        count = max((span[2] for span in shown), default=0)
        if count > best[0]:
            start, stop = min((s[0] for s in shown), default=0), max((s[1] for s in shown), default=0)
            best = (count, added, SceneEvent(name, start, stop))
        if count >= _LEAST:
            break
    return best[1], best[2]
