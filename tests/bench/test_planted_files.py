"""A bench folder that a stranger filled: links and pipes there change no other file, and nothing waits for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from anyanomaly.bench.ledger import Ledger, write_file
from anyanomaly.errors import OutputError


class _Cell:
    file_stem = "cell"
    key = "0"


CELL = cast(Any, _Cell())


def plant_link(path: Path, target: Path) -> None:
    target.write_text("precious")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("name", ["cells/cell.log", "cells/cell.json", "cells/check.json", "table.md"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_what_is_no_regular_file_is_refused_and_its_target_kept(tmp_path: Path, name: str, kind: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / "bench" / name
    plant_link(path, victim)
    if kind == "dangling link":
        victim.unlink()
    if kind == "pipe":
        path.unlink()
        os.mkfifo(path)
    ledger = Ledger(tmp_path / "bench")
    with pytest.raises(OutputError, match="no regular file"):
        {"cell.log": lambda: ledger.log(CELL), "check.json": ledger.check}.get(
            path.name, lambda: write_file(path, "x")
        )()
    assert not victim.exists() if kind == "dangling link" else victim.read_text() == "precious"


def test_a_pipe_in_the_place_of_a_result_is_no_result(tmp_path: Path) -> None:
    (tmp_path / "cells").mkdir()
    os.mkfifo(tmp_path / "cells" / "cell.json")
    assert Ledger(tmp_path).get(CELL) is None
