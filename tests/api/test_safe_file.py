"""Result files: one run at a time writes each, and only complete results replace older ones."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from anyanomaly.api import SafeFile
from anyanomaly.api.file_lock import locked_folder
from anyanomaly.api.safe_file import check_distinct
from anyanomaly.errors import OutputError, UsageError


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def killed_run(path: Path, code: str = "") -> None:
    """Let another process begin to write a file, and kill it."""
    script = f"""
        import os, signal, time
        from anyanomaly.api import SafeFile
        file = SafeFile({str(path)!r})
        file.check()
        file.write("killed\\n")
        {code}
        os.kill(os.getpid(), signal.SIGKILL)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert result.returncode == -signal.SIGKILL


@pytest.mark.parametrize("other", ["r.jsonl", "./r.jsonl", "link.jsonl", "../folder/r.jsonl", "folder-link/r.jsonl"])
def test_a_second_run_is_refused_by_whatever_path(target: Path, other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(target.parent)
    Path("link.jsonl").symlink_to("r.jsonl")
    Path("folder-link").symlink_to(target.parent)
    with SafeFile("r.jsonl") as first:
        with pytest.raises(OutputError, match=r"r\.jsonl: another run.*is writing it\. Wait for its end, or use"):
            SafeFile(other).check()
        first.write("of the first run\n")
        SafeFile("other.jsonl").check()
    assert target.read_text() == "of the first run\n"
    with SafeFile(other) as second:
        second.write("of the second run\n")
    assert target.read_text() == "of the second run\n"


def test_a_killed_run_leaves_its_results_and_no_lock(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        killed_run(target)
    assert contents(target.parent) == {
        "r.jsonl": "complete\n",
        "r.jsonl.1.partial": "killed\n",
        "r.jsonl.partial": "killed\n",
    }
    with SafeFile(str(target)) as file:
        file.write("new\n")
    assert contents(target.parent) == {
        "r.jsonl": "new\n",
        "r.jsonl.1.partial": "killed\n",
        "r.jsonl.2.partial": "killed\n",
    }
    assert f"{target}.partial is of an earlier run that did not complete; it is now {target}.2.partial" in caplog.text


def test_a_child_of_a_killed_run_keeps_no_lock(target: Path, tmp_path: Path) -> None:
    child = tmp_path / "child"
    killed_run(
        target,
        f"if not os.fork(): open({str(child)!r}, 'w').write(str(os.getpid())), time.sleep(60), os._exit(0)"
        f"\n        while not os.path.exists({str(child)!r}) or not open({str(child)!r}).read(): time.sleep(0.01)",
    )
    try:
        with SafeFile(str(target)) as file:
            file.write("new\n")
    finally:
        os.kill(int(child.read_text()), signal.SIGKILL)
    assert target.read_text() == "new\n"


def test_an_incomplete_result_stays_beside_the_older_one(target: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = SafeFile(str(target))
    file.write("half\n")
    file.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert contents(target.parent) == {"r.jsonl": "complete\n", "r.jsonl.partial": "half\n"}
    assert f"The results so far are kept in {target}.partial." in caplog.text


def test_without_text_nothing_changes_and_nothing_is_left(target: Path) -> None:
    for complete in (True, False):
        file = SafeFile(str(target))
        file.check()
        file.close(complete=complete)
        file.close()
    assert contents(target.parent) == {"r.jsonl": "complete\n"}


def test_a_failed_replacement_keeps_the_text_before_it(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    file = SafeFile(str(target))
    file.replace("[1]")
    file.replace("[1, 2]")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OutputError, match=r"Cannot continue writing .* No space left on device"):
            file.replace("[1, 2, 3]")
    file.close()
    assert contents(target.parent) == {"r.jsonl": "complete\n", "r.jsonl.partial": "[1, 2]"}


def test_a_replaced_text_is_still_locked(target: Path) -> None:
    with SafeFile(str(target)) as file:
        for text in ("[1, 2]", "[3]"):
            file.replace(text)
            with pytest.raises(OutputError, match="is writing it"):
                SafeFile(str(target)).check()
    assert contents(target.parent) == {"r.jsonl": "[3]"}


def test_permissions_and_links_stay(target: Path) -> None:
    target.chmod(0o640)
    link = target.with_name("link.jsonl")
    link.symlink_to("r.jsonl")
    with SafeFile(str(link)) as file:
        file.write("secret\n")
        assert stat.S_IMODE((target.parent / "r.jsonl.partial").stat().st_mode) == 0o640
        file.replace("more\n")
        assert stat.S_IMODE((target.parent / "r.jsonl.partial").stat().st_mode) == 0o640
    assert os.readlink(link) == "r.jsonl"
    assert target.read_text() == "more\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_link_to_nothing_gets_its_file(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("new/r.csv")
    with SafeFile(str(tmp_path / "link.csv")) as file:
        file.write("a\n")
    assert (tmp_path / "new" / "r.csv").read_text() == "a\n"


def test_a_link_in_place_of_the_partial_file_is_not_followed(target: Path) -> None:
    victim = target.with_name("victim")
    victim.write_text("")
    target.with_name("r.jsonl.partial").symlink_to(victim)
    with pytest.raises(OutputError, match="Cannot write"):
        SafeFile(str(target)).check()
    assert victim.read_text() == ""


@pytest.mark.parametrize("error", [37, 95, 38])  # ENOLCK, EOPNOTSUPP, ENOSYS
def test_without_locks_each_run_has_a_file_of_its_own(
    target: Path, error: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with SafeFile(str(target)) as first, SafeFile(str(target)) as second:
        first.write("first\n")
        second.write("second\n")
        assert set(contents(target.parent)) == {"r.jsonl", "r.jsonl.partial", "r.jsonl.1.partial"}
    assert contents(target.parent) == {"r.jsonl": "first\n"}  # which ended last
    assert "has no locks" in caplog.text


def test_a_device_gets_the_text_and_stays_a_device(tmp_path: Path) -> None:
    link = tmp_path / "null.jsonl"
    link.symlink_to(os.devnull)
    with SafeFile(str(link)) as first, SafeFile(str(link)) as second:
        first.write("a\n")
        second.replace("b\n")
    assert stat.S_ISCHR(link.stat().st_mode)
    assert [path.name for path in tmp_path.iterdir()] == ["null.jsonl"]


def test_a_pipe_gets_the_text_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    with pytest.raises(OutputError, match=r"no process reads this pipe\. Start its reader first"):
        SafeFile(str(path)).check()
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with SafeFile(str(path)) as file:
        file.write("a\n")
        assert os.read(reader, 10) == b"a\n"
        file.replace("[1]")
        file.replace("[1, 2]")
    assert os.read(reader, 10) == b"[1, 2]"
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_an_open_file_of_the_shell_is_written_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    with SafeFile(f"/dev/fd/{descriptor}") as file:
        file.write("a\n")
    os.close(descriptor)
    assert contents(tmp_path) == {"log": "before\na\n"}
    with pytest.raises(OutputError, match="Cannot write /dev/fd/987"):
        SafeFile("/dev/fd/987").check()


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "link"])
def test_standard_output_has_many_names(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link").symlink_to("/dev/stdout")
    with SafeFile(name) as file:
        file.write("a\n")
        assert capsys.readouterr().out == "a\n"
    with pytest.raises(UsageError, match="Two results would go to standard output"):
        check_distinct(["-", name])


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "a\0b", tmp_path / ("long" * 100)):
        with pytest.raises(OutputError, match="Cannot write"):
            SafeFile(str(path)).check()


def test_a_folder_has_one_writer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "new" / "bench"
    with locked_folder(folder):
        with pytest.raises(OutputError, match=r"bench: another run is writing to it\. Wait"), locked_folder(folder):
            pass
        with locked_folder(folder / "inner"):
            pass
    with locked_folder(folder):
        assert [path.name for path in folder.iterdir()] == ["inner"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
