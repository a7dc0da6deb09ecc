"""Compressed JSON lines: readable while they are written, and wherever they are cut."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyanomaly
from anyanomaly.api import RunEnd
from anyanomaly.errors import InputError
from anyanomaly.results import json_lines
from anyanomaly.results.gzip_lines import LineCompressor
from tests.results.files import HEADER, new_sink, segment, write_results

END = RunEnd("complete", 3000, 0, 0)


def test_a_compressed_file_has_the_lines_of_the_plain_one_and_always_the_same_bytes(tmp_path: Path) -> None:
    plain = write_results(tmp_path / "r.jsonl", "größe")
    packed = write_results(tmp_path / "r.jsonl.gz", "größe")
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.read_bytes()[4:8] == bytes(4)  # no time stamp
    assert write_results(tmp_path / "again.jsonl.gz", "größe").read_bytes() == packed.read_bytes()
    results = anyanomaly.read_results(packed)
    assert (results.status, results.is_cut, len(results.events)) == ("complete", False, 1)
    assert [record.value for record in results.segments] == [0.5, 0.5]


def test_results_are_readable_while_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    with new_sink(path) as sink:
        sink.begin(HEADER)
        for number in range(3000):
            sink.write_segment(segment("a car", number))
        results = anyanomaly.read_results(f"{path}.partial")
        n_segments = sum(1 for _ in results.segments)
        assert (results.status, 2900 < n_segments <= 3000) == ("unfinished", True)
        sink.end(END)
    assert anyanomaly.read_results(path).status == "complete"
    assert not Path(f"{path}.partial").exists()


@pytest.mark.parametrize("end", [None, replace(END, status="interrupted")])
def test_a_run_that_did_not_complete_leaves_a_whole_partial_file(tmp_path: Path, end: RunEnd | None) -> None:
    path = tmp_path / "r.jsonl.gz"
    with new_sink(path) as sink:
        sink.begin(HEADER)
        for number in range(3000):
            sink.write_segment(segment("a car", number))
        if end:
            sink.end(end)
    gzip.decompress(Path(f"{path}.partial").read_bytes())
    results = anyanomaly.read_results(f"{path}.partial")
    assert (results.status, sum(1 for _ in results.segments)) == (end.status if end else "unfinished", 3000)


def test_a_file_cut_at_any_byte_gives_the_lines_before(tmp_path: Path) -> None:
    content = write_results(tmp_path / "r.jsonl.gz").read_bytes()
    whole = gzip.decompress(content)
    path = tmp_path / "cut.jsonl.gz"
    n_records = -1
    for length in range(len(content) - 1, 1, -3):
        path.write_bytes(content[:length])
        readable = zlib.decompressobj(31).decompress(content[:length])
        if b"\n" not in readable:
            break
        results = anyanomaly.read_results(path)
        n_records = len(list(results.records))
        assert n_records in (readable.count(b"\n"), readable.count(b"\n") + 1)
        assert results.is_cut == (not whole.startswith(readable + b"\n") and not readable.endswith(b"\n"))
    assert n_records == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=50_000), st.booleans()), max_size=6), st.booleans())
def test_whatever_is_flushed_can_be_unpacked(pieces: list[tuple[bytes, bool]], finish: bool) -> None:
    compressor, packed, text = LineCompressor(), b"", b""
    for piece, flush in pieces:
        packed += compressor.add(piece, flush=flush)
        text += piece
        if flush:
            assert zlib.decompressobj(31).decompress(packed) == text
    if finish:
        assert gzip.decompress(packed + compressor.finish()) == text


def test_several_gzip_files_in_one_are_read(tmp_path: Path) -> None:
    lines = write_results(tmp_path / "r.jsonl").read_bytes().splitlines(keepends=True)
    path = tmp_path / "members.jsonl.gz"
    path.write_bytes(b"".join(gzip.compress(line) for line in lines))
    assert len(list(anyanomaly.read_results(path).records)) == len(lines)


def damaged(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "changed": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        "with rubbish behind it": content + b"rubbish",
        "no gzip": b"\x1f\x8b" + b"nonsense" * 9,
    }


@pytest.mark.parametrize("name", damaged(b"\0"))
def test_damage_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(damaged(write_results(path).read_bytes())[name])
    with pytest.raises(InputError, match=r"ine \d+ of .*r\.jsonl\.gz|r\.jsonl\.gz .*line \d+"):
        list(anyanomaly.read_results(path).records)


def test_a_bomb_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAX_LINE", 1 << 20)
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"type": "run", "format": 2, "config": {}}\n' + b" " * (1 << 24)))
    assert path.stat().st_size < 1 << 17
    tracemalloc.start()
    with pytest.raises(InputError, match=r"Line 2 of .* has more than 1 MiB"):
        list(anyanomaly.read_results(path).records)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 23
