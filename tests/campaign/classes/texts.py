"""Event texts, file names and ids with hostile characters, through every output."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import unicodedata

from tests.campaign.hostile import FORMULAS, hostile_text
from tests.campaign.plugin import SEGMENT, level
from tests.campaign.results import read_lines
from tests.campaign.stage import Stage

_NAME_PARTS = (
    b"a",
    b" ",
    b"-rf",
    b"'",
    b'"',
    b"\n",
    b"\r",
    b"\t",
    b"\x1b[31m",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    "é".encode(),
    "e\u0301".encode(),
    "\u202e".encode(),
    "\u2028".encode(),
    "日本".encode(),
    b"*",
    b"?",
    b"[1]",
    b"%d",
    b"{text}",
    b"$(touch canary)",
    b"`touch canary`",
    b";touch canary;",
    b"=1+1",
    b"@x",
    b"+1",
    b":",
    b"\\",
    b"#",
    b"&",
    b"|",
    b"~",
    b"..",
    b"\x7f",
    b"\x01",
    b"x" * 100,
    "\x85".encode(),
    "\ufeff".encode(),
)


def play(stage: Stage) -> str:
    """One of: an event text, a file name, two videos of similar names, an odd output name."""
    kind = stage.random.choices((_text, _name, _names, _output_name), (40, 35, 15, 10))[0]
    return kind(stage)


def _is_valid(text: str) -> bool:
    """Return whether the documentation allows an event text."""
    categories = {unicodedata.category(character) for character in text}
    return bool(text.strip()) and len(text) <= 500 and not categories & {"Cc", "Cs", "Zl", "Zp"}


def _text(stage: Stage) -> str:
    rng = stage.random
    texts = [rng.choice((*FORMULAS, "red"))] if rng.random() < 0.2 else [hostile_text(rng)[: rng.choice((20, 600))]]
    if rng.random() < 0.2:
        texts.append(hostile_text(rng)[:100])
    texts = [text.replace("\0", "") for text in texts]
    stage.write("a.clip", f"{3 * SEGMENT} 5")
    is_valid = all(_is_valid(text) for text in texts) and len({text.strip() for text in texts}) == len(texts)
    flags = [part for text in texts for part in (f"--text={text}",)]
    flags = [
        os.fsdecode(flag.encode("utf-8", "surrogateescape" if _is_escaped(flag) else "surrogatepass")) for flag in flags
    ]
    outputs = ["out.jsonl", "out.csv", "out.json"]
    stage.engine_run(
        "a.clip",
        *flags,
        *(part for output in outputs for part in ("-o", output)),
        "--threshold",
        "0.1",
        codes={0} if is_valid else {2},
        writes=outputs,
    )
    if is_valid:
        wanted = [text.strip() for text in texts]
        _check_texts(stage, wanted)
    return f"text {'valid' if is_valid else 'refused'} {_character_kinds(texts[0])}"


def _is_escaped(text: str) -> bool:
    return all("\udc80" <= character <= "\udcff" for character in text if "\ud800" <= character <= "\udfff")


def _character_kinds(text: str) -> str:
    """Return the kinds of characters in a text, as a name of its kind."""
    return "".join(sorted({unicodedata.category(character)[0] for character in text}))


def _check_texts(stage: Stage, wanted: list[str]) -> None:
    lines = read_lines(stage, "out.jsonl")
    found = [line["text"] for line in lines if line["type"] == "segment"]
    stage.check(set(found) == set(wanted) and len(found) == 3 * len(wanted), f"texts {set(found)} instead of {wanted}")
    for text in wanted:
        values = [line["value"] for line in lines if line["type"] == "segment" and line["text"] == text]
        stage.check(values == [level(segment, 5) for segment in range(3)], f"values {values} of {text!r}")
    _check_csv(stage)
    content = (stage.work / "out.json").read_bytes().decode()
    texts = {event["text"] for event in json.loads(content)["events"]}
    stage.check(texts <= set(wanted), f"events of {texts - set(wanted)}")


def _check_csv(stage: Stage) -> None:
    """No cell of the table is a formula to a spreadsheet; numbers are none."""
    content = (stage.work / "out.csv").read_bytes().decode()
    for row in csv.reader(io.StringIO(content, newline="")):
        for cell in row:
            is_number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)
            stage.check(
                bool(is_number) or cell[:1] not in ("=", "+", "-", "@", "\t", "\r"), f"a formula: {cell[:40]!r}"
            )


def _odd_name(stage: Stage) -> bytes:
    parts = stage.random.choices(_NAME_PARTS, k=stage.random.randint(1, 4))
    return b"".join(parts).replace(b"/", b"")[:240].strip(b".") or b"x"


def _name(stage: Stage) -> str:
    """A file of any name is read, or refused with a message; the words in its name do nothing."""
    rng = stage.random
    name = _odd_name(stage)
    kind = rng.choice(("clip", "video", "folder", "output folder"))
    codes = {0} if _is_utf8(name) else {0, 4}
    path = os.fsencode(stage.work) + b"/" + name
    if kind == "clip":
        name += b".clip"
        stage.write(name, f"{2 * SEGMENT} 1")
    elif kind == "video":
        name += b".mp4"
        stage.write(name, (stage.assets / "h264.mp4").read_bytes())
    else:
        os.mkdir(path)
        for index in range(3):
            with open(path + b"/f_%d.png" % index, "wb") as file:
                file.write((stage.assets / f"frames/frame_{index}.png").read_bytes())
    argument = os.fsdecode(b"./" + name)
    pattern = any(character in name for character in b"*?[")  # of several images
    scheme = b":" in name
    stage.engine_run(
        argument,
        "-t",
        "red",
        "-o",
        "out.jsonl",
        "-o",
        "out.csv",
        "--backend.digest",
        "--max-unreadable",
        "1",
        codes=codes | ({4} if pattern or scheme else set()),
        writes=["out.jsonl", "out.csv"],
    )
    stage.check(not (stage.work / "canary").exists(), "the words in a file name were run")
    if stage.outcomes[-1].code == 0:
        lines = read_lines(stage, "out.jsonl")
        stage.check(any(line["type"] == "segment" for line in lines), "no segment of the file")
        _check_csv(stage)
    return f"{kind} named {'UTF-8' if _is_utf8(name) else 'bytes'} {_character_kinds(os.fsdecode(name))}"


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _names(stage: Stage) -> str:
    """Videos of the same or a similar name keep different ids, and each its own scores."""
    rng = stage.random
    stem = rng.choice(("a", "é", "a b", "a-2", "-", "x.y", "日本"))
    other = rng.choice((stem, unicodedata.normalize("NFD", stem), f"{stem}-2", stem.upper()))
    folders = ("one", "two", "one/two")
    paths = [f"./{folders[0]}/{stem}.clip", f"./{folders[1]}/{other}.clip", f"./{folders[2]}/{stem}.clip"]
    for seed, path in enumerate(paths):
        stage.write(path, f"{2 * SEGMENT} {seed}")
    stage.engine_run(*paths, "-t", "red", "-o", "out.jsonl", writes=["out.jsonl"])
    by_id: dict[str, list[float]] = {}
    for line in read_lines(stage, "out.jsonl"):
        if line["type"] == "segment":
            by_id.setdefault(line["video"], []).append(line["value"])
    wanted = [[level(segment, seed) for segment in range(2)] for seed in range(3)]
    stage.check(list(by_id.values()) == wanted, f"scores by id: {by_id}")
    return f"similar names {_character_kinds(stem + other)}"


def _output_name(stage: Stage) -> str:
    """An output of an odd name is written under that name, or refused before the run."""
    name = os.fsdecode(_odd_name(stage)) + stage.random.choice((".jsonl", ".csv", ".json", "", ".exe", ".jsonl/"))
    stage.write("a.clip", f"{2 * SEGMENT} 1")
    suffix = name.rpartition(".")[2]
    is_allowed = suffix in ("jsonl", "csv", "json")
    is_utf8 = _is_utf8(os.fsencode(name))
    codes = ({0} if is_utf8 else {0, 2, 6}) if is_allowed else {0, 2, 6} if suffix.endswith("/") else {2, 6}
    stage.engine_run("a.clip", "-t", "red", "-o", f"./{name}", codes=codes, writes=[name.rstrip("/")])
    stage.check(not (stage.work / "canary").exists(), "the words in a file name were run")
    return f"output {suffix if is_allowed else 'refused'} {_character_kinds(name)}"
