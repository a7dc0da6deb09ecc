"""A finished file is made of the data that were written while it was incomplete."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.errors import OutputError


def double(data_path: Path, new_path: Path) -> None:
    new_path.write_bytes(data_path.read_bytes() * 2)


def test_the_data_become_what_is_built_of_them(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("older")
    path.chmod(0o640)
    with SafeFile(str(path)) as file:
        file.write("ab")
        file.rebuild(double)
        assert path.read_text() == "older"
        with pytest.raises(OutputError, match="another run"):
            SafeFile(str(path)).check()
    assert path.read_text() == "abab"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_keeps_the_data(tmp_path: Path) -> None:
    def fail(_: Path, new_path: Path) -> None:
        new_path.write_text("half")
        raise OSError(28, "No space left on device")

    file = SafeFile(str(tmp_path / "file"))
    file.write("ab")
    with pytest.raises(OutputError, match="No space left"):
        file.rebuild(fail)
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["file.partial"]
    assert (tmp_path / "file.partial").read_text() == "ab"


def test_data_that_somebody_removed_are_written_again_first(tmp_path: Path) -> None:
    with SafeFile(str(tmp_path / "file")) as file:
        file.write("ab")
        (tmp_path / "file.partial").unlink()
        file.rebuild(double)
    assert (tmp_path / "file").read_text() == "abab"


def test_a_pipe_keeps_what_it_got(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    content: list[str] = []
    reader = threading.Thread(target=lambda: content.append((tmp_path / "pipe").read_text()))
    reader.start()
    descriptor = os.open(tmp_path / "pipe", os.O_WRONLY)  # waits for the reader
    with SafeFile(str(tmp_path / "pipe")) as file:
        os.close(descriptor)
        file.write("ab")
        file.rebuild(double)
    reader.join()
    assert content == ["ab"]
