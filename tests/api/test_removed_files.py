"""Result files that somebody removes or replaces during a run, and outputs that are inputs: nothing is lost."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest

from anyanomaly.api import SafeFile
from anyanomaly.api.safe_file import check_distinct
from anyanomaly.errors import OutputError, UsageError
from tests.api.test_safe_file import contents


def test_a_partial_file_that_was_removed_is_written_again(target: Path) -> None:
    for complete in (True, False):
        file = SafeFile(str(target))
        file.write("a\n")
        target.with_name("r.jsonl.partial").unlink()
        file.write("b\n")
        file.close(complete=complete)
    assert contents(target.parent) == {"r.jsonl": "a\nb\n", "r.jsonl.partial": "a\nb\n"}


def test_a_partial_file_that_was_replaced_is_left_as_it_is(target: Path) -> None:
    file = SafeFile(str(target))
    file.write("a\n")
    partial = target.with_name("r.jsonl.partial")
    partial.unlink()
    partial.write_text("of somebody else")
    file.close(complete=True)
    assert contents(target.parent) == {"r.jsonl": "a\n", "r.jsonl.partial": "of somebody else"}


@pytest.mark.parametrize("complete", [True, False])
def test_results_whose_folder_was_removed_are_named_as_lost(
    target: Path, caplog: pytest.LogCaptureFixture, complete: bool
) -> None:
    file = SafeFile(str(target))
    file.write("a\n")
    shutil.rmtree(target.parent)
    with pytest.raises(OutputError) if complete else contextlib.nullcontext() as caught:
        file.close(complete=complete)
    message = str(caught.value) if caught else caplog.text
    assert "r.jsonl.partial was removed, and cannot be written again" in message
    assert "kept" not in message
    assert "are in" not in message


def test_results_do_not_replace_an_input(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(target.parent)
    Path("link.jsonl").symlink_to("r.jsonl")
    for output in ("r.jsonl", "link.jsonl", str(target)):
        with pytest.raises(UsageError, match=f"would replace {output}, which this command reads"):
            check_distinct(["-", output], ["no such file", "a\0b", "./r.jsonl"])
    check_distinct(["-", "r.jsonl", "new.jsonl"], ["new.jsonl"])


def test_a_folder_that_takes_no_files_is_no_other_run() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("no /proc")
    with pytest.raises(OutputError, match=r"Cannot write /proc/r\.jsonl: No such file or directory"):
        SafeFile("/proc/r.jsonl").check()
