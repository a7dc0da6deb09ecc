"""What a thinking model writes before its answer: the markers of its thinking, and the answer without it."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

_NAMES: Final = ("think", "thinking", "thought", "thoughts", "reasoning", "analysis", "reflection", "scratchpad")
_PREFIXED_NAMES: Final = ("seed:think", "mm:think", "ifm|think", "ifm|think_fast", "ifm|think_faster", "antthinking")

MARKERS: Final[tuple[tuple[str, str], ...]] = (
    *((f"<{name}>", f"</{name}>") for name in (*_NAMES, *_PREFIXED_NAMES)),
    ("◁think▷", "◁/think▷"),  # Kimi-VL
    ("[THINK]", "[/THINK]"),  # Magistral, Ministral
    ("<|begin_of_thought|>", "<|end_of_thought|>"),  # OpenThinker
    ("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere Command A
    ("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    ("[unused16]", "[unused17]"),  # Pangu
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),  # Kimi K3
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("<|channel|>analysis<|message|>", "<|end|>"),  # gpt-oss
    ("<|channel|>commentary<|message|>", "<|end|>"),  # gpt-oss
    ("to=self<|message|>", "<|eom|>"),  # Muse
    ("<|im_start|>assistant/think", "<|im_end|>"),  # HyperCLOVA X
    ("<|think|>", "<|end|>"),  # Solar
    ("<|im_start|>think", "<|im_end|>"),
    ("Here is my thought process:", "Here is my response:"),  # Granite 3
    ("Here's my thought process:", "Here's my response:"),
)
"""The text that opens a model's thinking, and the one that closes it, as chat templates and answers write them."""

_ANSWERS: Final[tuple[tuple[str, str], ...]] = (
    *((f"<{name}>", f"</{name}>") for name in ("answer", "final_answer", "final", "response", "conclusion")),
    ("<|begin_of_box|>", "<|end_of_box|>"),  # GLM-4.1V and later
    ("<|begin_of_solution|>", "<|end_of_solution|>"),  # OpenThinker
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),  # Cohere Command A
    ("<|open|>response<|sep|>", "<|close|>response<|sep|>"),  # Kimi K3
    ("\\boxed{", "}"),
)
_BEFORE_ANSWER: Final = {  # what follows the closing marker, from the opening marker
    "<|channel|>analysis<|message|>": "<|start|>assistant<|channel|>final<|message|>",
    "<|channel|>commentary<|message|>": "<|start|>assistant<|channel|>final<|message|>",
    "<|im_start|>assistant/think": "\n<|im_start|>assistant\n",
    "<|think|>": "<|begin|>assistant<|content|>",
    "<|START_THINKING|>": "<|START_RESPONSE|>",
    "<|open|>think<|sep|>": "<|open|>response<|sep|>",
    "to=self<|message|>": "<|start|>assistant to=user<|message|>",
}
_SHARED_CLOSINGS: Final = frozenset({"<|end|>", "<|eom|>", "<|im_end|>"})  # close other things too
_END_OF_TURN: Final = re.compile(
    r"(?=<)(?:<\|(?:im_end|endoftext|eot_id|eot|eom|end|return|endofturn|end_of_turn|user|observation|call)\|>"
    r"|<(?:end_of_turn|turn\||eos)>|</s>|<\|im_start\|>(?:user|system))",
    re.IGNORECASE,
)
_SPECIAL_TOKEN: Final = re.compile(
    r"<\|start_header_id\|>\w{1,20}<\|end_header_id\|>|(?:<\|start\|>assistant)?(?:<\|channel\|>(?:final)?)?<\|message\|>"
    r"|<\|(?:im_start|start|begin)\|>assistant\b(?: to=user)?"
    r"|<\|[^<>|\s]{1,40}\|>|\A\s*<s>",
    re.IGNORECASE,
)
_BARE_HARMONY: Final = re.compile(r"\s*(?:analysis|commentary)(?=[A-Z])")  # gpt-oss, decoded without special tokens
_BARE_FINAL: Final = "assistantfinal"
_UNMARKED: Final = re.compile(  # how models begin to think; the prompt has opened it, and its end was cut off
    r"\s*(?:(?:got it|okay|ok|alright|all right|so|now|hmm|first)\b[,.!]?\s+)*(?:so,?\s+)?(?:the user (?:wants|"
    r"is asking|asks|asked|has|gave|"
    r"provided|needs)|we need to|i need to (?:look|figure|determine|check|evaluate|analy[sz]e)|let's (?:see|tackle|"
    r"look|think|analy[sz]e|break))"
    r"|[\s*#]*(?:here(?:'s| is) (?:a|my|the) )?(?:thinking|thought|reasoning) process\b[*\s]*:"
    r"|\s*(?:got it|okay|ok|alright|hmm)[,.]+\s+(?:so|let me|i (?:need|should|have) )|\s*用户(?:想|要|让|问|给|需要|"
    r"提供)|\s*(?:好的|好|嗯|首先)[，,]\s*(?:我|让我|用户|现在)",
    re.IGNORECASE,
)
_BARE_THOUGHT: Final = re.compile(r"\s*thought\n")  # Gemma 4, decoded without special tokens


class _Marker(NamedTuple):
    """A marker in a text."""

    start: int
    stop: int
    pair: int  # position in the table
    is_opening: bool


def remove_thinking(text: str) -> str:
    """Return an answer without the model's thinking, and without what wraps the answer.

    Thinking that is not closed goes to the end of the text. A closing marker alone closes what the prompt has opened:
    everything before it is thinking. If the answer stands in a wrapper (``<answer>``, ``\\boxed{}``), only the content
    of the wrapper is returned; the contents of several wrappers are returned line by line. The time is linear in the
    length of the text.
    """
    return _unwrap(strip_thinking(text))


def strip_thinking(text: str) -> str:
    """Return an answer without the model's thinking and special tokens; what wraps the answer stays."""
    pieces: list[str] = []
    closings: list[str] = []  # of the markers that are open, innermost last
    position = 0  # behind the last marker
    for marker in _find(text, _TABLE):
        closing = MARKERS[marker.pair][1]
        if marker.is_opening:
            if not closings:
                pieces.append(text[position : marker.start])
            if not closings or text[position : marker.start].strip():  # two in a row open once
                closings.append(closing)
        elif closing in _SHARED_CLOSINGS and closing not in closings[-1:]:
            continue
        elif closings:
            closings.pop()
        else:
            pieces.clear()
        position = marker.stop
    if not closings:
        pieces.append(text[position:])
    return _strip_tokens(_strip_bare_labels(" ".join(pieces)))


def strip_wrappers(text: str) -> str:
    """Return an answer without the markers of wrappers, with all that stands in and around them."""
    text = re.sub(r"\\boxed\{([^{}]*+)\}", r"\1", text)
    return _ANSWER_TABLE.sub(lambda match: match[0] if match[0] == "}" else " ", text).strip()


def open_marker(prompt: str) -> str:
    """Return what closes the thinking in which a prompt ends and leads to the answer, or "" if it ends outside.

    A few words may follow the opening marker, as some templates begin the thinking themselves, but no other markup.
    """
    marker = next(iter(deque(_find(prompt, _TABLE), maxlen=1)), None)  # the last one
    if marker is None or not marker.is_opening:
        return ""
    if re.search(r"[<>\[\]:▷◁|]", prompt[marker.stop :]) or len(prompt) - marker.stop > 200:
        return ""
    opening, closing = MARKERS[marker.pair]
    if suffix := re.fullmatch(r"<[^:<>\s]+(:[^<>\s]+)>", prompt[marker.start : marker.stop]):  # <think:NAME>, Hunyuan
        return closing if opening == suffix[0] else f"{closing[:-1]}{suffix[1]}>"
    return closing + _BEFORE_ANSWER.get(opening, "")


def _unwrap(text: str) -> str:
    contents: list[str] = []
    start: int | None = None
    for marker in _find(text, _ANSWER_TABLE):
        if marker.is_opening:
            start = marker.stop  # the innermost wrapper holds the answer
        elif start is not None:
            contents.append(text[start : marker.start].strip())
            start = None
    if start is not None:
        contents.append(text[start:].strip())
    if contents:
        return "\n".join(contents)
    return strip_wrappers(text)


def _strip_bare_labels(text: str) -> str:
    """Return a text without the names of channels whose special tokens were lost in decoding."""
    if _BARE_HARMONY.match(text):
        return text.rpartition(_BARE_FINAL)[2] if _BARE_FINAL in text else ""
    if _UNMARKED.match(text):
        return ""
    if label := _BARE_THOUGHT.match(text):
        answer = text[label.end() :].strip()
        return "" if "\n" in answer else answer  # where the thinking ends is lost
    return text


def _strip_tokens(text: str) -> str:
    """Return the first turn that has words, without special tokens."""
    turns = (_SPECIAL_TOKEN.sub(" ", turn).strip() for turn in _END_OF_TURN.split(text))
    return next((turn for turn in turns if turn), "")


def _find(text: str, table: re.Pattern[str]) -> Iterator[_Marker]:
    for match in table.finditer(text):
        name = match.lastgroup or ""
        yield _Marker(match.start(), match.end(), int(name[1:]), name[0] == "o")


def _compile(pairs: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    """Return a pattern for all markers, a group per marker: its name is o or c for opening or closing, and the pair."""
    patterns: dict[str, str] = {}
    for pair, (opening, closing) in enumerate(pairs):
        patterns.setdefault(_marker_pattern(opening), f"o{pair}")
        patterns.setdefault(_marker_pattern(closing), f"c{pair}")
    longest_first = sorted(patterns.items(), key=lambda item: len(item[0]), reverse=True)
    markers = "|".join(f"(?P<{name}>{pattern})" for pattern, name in longest_first)
    first = re.escape("".join(sorted({marker[0] for pair in pairs for marker in pair} | set("&＜"))))
    return re.compile(f"(?=[{first}])(?:{markers})", re.IGNORECASE)  # most characters begin no marker: 20 times as fast


def _marker_pattern(marker: str) -> str:
    """Return the pattern of a marker; tags may have blanks, attributes or a suffix, or be escaped as in HTML."""
    if tag := re.fullmatch(r"<(/?)([\w:|]+)>", marker):
        slash = r"/\s{0,2}" if tag[1] else ""
        name = tag[2]
        end = r"\s{0,2}" if slash else r"(?:\s[^<>]{0,80})?"
        suffix = "" if ":" in name or "|" in name else r"(?::[^\s<>]{1,40})?"
        return rf"(?:<|&lt;|＜)\s{{0,2}}{slash}{re.escape(name)}{suffix}{end}(?:>|&gt;|＞)"
    return re.escape(marker).replace(r"\ ", r"\s{1,2}")


_TABLE: Final = _compile(MARKERS)
_ANSWER_TABLE: Final = _compile(_ANSWERS)
