"""What is wrong with any outcome, whatever the case: the same rules for all commands."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from tests.campaign.process import Outcome

FaultKind = Literal["traceback", "hang", "exit code", "wrong result", "leak", "memory"]

MEMORY_LIMIT_MIB = 2048
INTERNAL_BUG = 70

_TRACEBACK = re.compile(rb"Traceback \(most recent call last\)|Fatal Python error|Segmentation fault|core dumped")
_TERMINAL_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a command did wrong."""

    kind: FaultKind
    message: str


def judge(outcome: Outcome, expected_codes: Collection[int], secrets: Collection[str]) -> Iterator[Fault]:
    """Yield what a command did wrong by the rules that hold for every command.

    :param expected_codes: the exit codes that are right for these inputs; negative: ended by this signal.
    :param secrets: words that no output may hold.
    """
    if outcome.is_timed_out:
        yield Fault("hang", f"not ended after {outcome.wall_s:.0f} s")
    elif outcome.code not in expected_codes:
        wanted = ", ".join(map(str, sorted(expected_codes)))
        yield Fault("exit code", f"exit code {outcome.code} instead of {wanted}: {_last_line(outcome.err)}")
    if outcome.has_children_left:
        yield Fault("hang", "a child process was left after 5 s")
    if _TRACEBACK.search(outcome.err) or _TRACEBACK.search(outcome.out):
        yield Fault("traceback", f"a traceback or a crash: {_last_line(outcome.err)}")
    if outcome.peak_mib > MEMORY_LIMIT_MIB:
        yield Fault("memory", f"{outcome.peak_mib:.0f} MiB at the peak")
    has_message = b"anyanomaly: " in outcome.err or (" --check" in outcome.command and outcome.out)
    if 2 <= outcome.code <= 6 and not has_message:
        yield Fault("exit code", f"exit code {outcome.code} without a message")
    yield from _judge_output(outcome, secrets)


def _judge_output(outcome: Outcome, secrets: Collection[str]) -> Iterator[Fault]:
    for name, content in (("output", outcome.out), ("errors", outcome.err)):
        text = content.decode("utf-8", errors="replace")
        if control := _TERMINAL_CONTROLS.search(text):
            around = text[max(0, control.start() - 30) : control.start() + 10]
            yield Fault("leak", f"the control character {control[0]!r} in the {name}: {around!r}")
        for secret in secrets:
            if secret in text:
                yield Fault("leak", f"a secret in the {name}")
    if " --json" in outcome.command and not outcome.is_timed_out:
        text = outcome.out.decode("utf-8", errors="replace")
        lines = text.split("\n")[:-1] if " run " in outcome.command else [text]
        for line in lines:
            if line and not _is_json(line):
                yield Fault("wrong result", f"no JSON in the output of --json: {line[:80]!r}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _last_line(content: bytes) -> str:
    lines = content.decode("utf-8", errors="backslashreplace").strip().split("\n")
    return ascii(lines[-1][:300])
