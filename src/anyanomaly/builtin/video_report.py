"""What was unusual or damaged in a video file, in sentences for the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from anyanomaly.builtin.video_clock import Clock, Discontinuity

MAX_PLACES = 20
"""A sentence names this many places, and counts the more."""

JOINT_S = 1.0
"""A damaged packet belongs to a joint of recordings that follows within this time, seconds."""


@dataclass(slots=True)
class Damage:
    """What of a stream could not be read, or was read with errors."""

    n_refused: int = 0  # packets that the decoder refused
    n_lost: int = 0  # frames that are missing before another one
    n_lost_at_end: int = 0
    first_lost_s: float | None = None  # time of the first frame after a lost one, seconds; None: none came
    damaged_s: list[float] = field(default_factory=list)  # times of frames that demuxer or decoder mark as damaged
    breaks_off: bool = False  # the demuxer reported an error at the end


@dataclass(slots=True)
class Changes:
    """Changes of the picture in the middle of a stream."""

    size: tuple[int, int]  # of the first frame: width and height in pixels, as stored
    new_sizes: list[tuple[tuple[int, int], float]] = field(default_factory=list)  # each with its time, seconds


def describe_damage(damage: Damage, clock: Clock, uri: str) -> str:
    """Return what could not be read, in one or two sentences; empty: nothing.

    Where recordings were joined, a damaged packet is the end of the first one, and no fault.
    """
    joints_s = [place.time_s for place in clock.discontinuities if place.kind != "gap"]
    damaged_s = [time_s for time_s in damage.damaged_s if not any(0 <= at - time_s <= JOINT_S for at in joints_s)]
    n_lost = max(damage.n_lost + damage.n_lost_at_end, damage.n_refused)
    parts = []
    if damage.breaks_off:
        parts.append(f"breaks off after {count_noun(clock.n_frames, 'frame')} ({clock.last_s:.2f} s)")
    if n_lost:
        place = "at the end" if damage.first_lost_s is None else f"first before {damage.first_lost_s:.2f} s"
        parts.append(f"has {count_noun(n_lost, 'corrupt packet')} without a frame ({place})")
    if damaged_s:
        parts.append(f"has {count_noun(len(damaged_s), 'damaged frame')} (first at {damaged_s[0]:.2f} s)")
    if not parts:
        return ""
    return f"{uri} {' and '.join(parts)}. All frames that could be read were used; copy or export the file again."


def describe_stream(clock: Clock, changes: Changes, uri: str, fps: float) -> list[str]:
    """Return notices of missing stamps, discontinuities and changes of size, one sentence each."""
    notices = []
    if clock.n_without_stamp > clock.n_frames / 2:
        notices.append(f"{uri} has no timestamps: {fps:g} frames per second are assumed.")
    notices += [
        f"{uri}: {sentence}"
        for kind in ("restart", "closed gap", "gap")
        if (sentence := _describe_kind([place for place in clock.discontinuities if place.kind == kind]))
    ]
    if changes.new_sizes:
        (width, height), time_s = changes.new_sizes[0]
        more = f" and {count_noun(len(changes.new_sizes) - 1, 'more time')}" if len(changes.new_sizes) > 1 else ""
        notices.append(
            f"{uri} changes its size at {time_s:.2f} s{more}, from {changes.size[0]}x{changes.size[1]} to "
            f"{width}x{height}: all frames are scaled to the first size."
        )
    return notices


def _describe_kind(places: Sequence[Discontinuity]) -> str:
    if not places:
        return ""
    kind = places[0].kind
    length = "" if kind == "restart" else " (by {0:.2f} s)" if kind == "closed gap" else " (for {0:.2f} s)"
    listed = ", ".join(f"{place.time_s:.2f} s{length.format(place.length_s)}" for place in places[:MAX_PLACES])
    if len(places) > MAX_PLACES:
        listed += f" and {count_noun(len(places) - MAX_PLACES, 'more place')}"
    match kind:
        case "restart":
            return f"timestamps jump back after {listed}; the frames after that follow without a gap."
        case "closed gap":
            return f"timestamps jump ahead after {listed}; the gap is closed."
        case _:
            return f"there are no frames after {listed}; the times are kept."


def count_noun(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it needs one."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
