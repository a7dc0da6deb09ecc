"""What ends the child process is an error here, and the next call works."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from anyanomaly.errors import BackendError, VideoError
from anyanomaly.rehearsal import rehearse


def call(target: str, *arguments: object, **limits: int) -> object:
    return rehearse(target, *arguments, name="a.bin", error=BackendError, **limits)


@pytest.mark.parametrize(
    ("target", "arguments", "limits", "message"),
    [
        ("os:abort", (), {}, r"a\.bin crashes the library that reads it \(SIGABRT\)"),
        ("ctypes:string_at", (0,), {}, r"a\.bin crashes the library that reads it \(SIGSEGV\)"),
        ("os:_exit", (3,), {}, r"a\.bin ended the process that tried to read it \(exit code 3\)"),
        ("time:sleep", (60,), {"limit_s": 1}, r"a\.bin takes more than 1 s"),
        ("builtins:bytearray", (2**31,), {"max_bytes": 2**28}, r"a\.bin takes more than 0\.25 GiB of memory"),
    ],
)
def test_a_child_that_ends_is_an_error_and_the_next_call_works(
    target: str, arguments: tuple[object, ...], limits: dict[str, int], message: str
) -> None:
    with pytest.raises(BackendError, match=message):
        call(target, *arguments, **limits)
    assert call("math:sqrt", 9) == 3


def test_the_child_finds_modules_where_the_program_does(tmp_path: Path) -> None:
    """A program may have put the packages on its module search path itself."""
    (tmp_path / "extra.py").write_text("def answer():\n    return 42\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from anyanomaly.rehearsal import rehearse\n"
        "assert rehearse('extra:answer', name='a', error=OSError) == 42"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_child_does_not_look_inside_packages(tmp_path: Path) -> None:
    """While a thread imports OpenCV, the folder of that package is on the search path, with a typing.py in it."""
    for name in ("__init__.py", "typing.py"):
        (tmp_path / name).write_text("raise SystemExit('This is not the standard library.')")
    program = (
        f"from anyanomaly.rehearsal import rehearse; import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "print(rehearse('math:sqrt', 9, name='a.bin', error=OSError))"
    )
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stdout) == (0, "3.0\n"), completed.stderr


def test_a_memory_limit_of_the_user_holds_in_the_child() -> None:
    code = (
        "import resource; from anyanomaly.rehearsal import rehearse\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (2**33, 2**34))\n"
        "limits = rehearse('resource:getrlimit', resource.RLIMIT_DATA, name='a', error=OSError, max_bytes=2**36)\n"
        "assert limits == [2**33, 2**34], limits"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_our_errors_keep_their_class_and_others_are_left_to_the_caller(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="There is no file"):
        call("anyanomaly.builtin.read_video:try_probe", str(tmp_path / "no.mp4"), None)
    assert call("math:sqrt", -1) is None


def test_output_of_a_library_is_no_reply_and_relative_paths_mean_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call("builtins:print", '["result", 1]') is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "math.py").write_text("raise SystemExit(7)")
    assert call("os:getcwd") == str(tmp_path)
    assert call("math:sqrt", 4) == 2, "a module of the current folder is not imported"


def test_the_child_is_not_this_process_and_threads_take_turns() -> None:
    replies: list[object] = []
    threads = [
        threading.Thread(target=lambda number=number: replies.append(call("math:sqrt", number**2)))  # type: ignore[misc]
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(replies) == list(range(20))  # type: ignore[type-var]
    assert call("os:getpid") != os.getpid()
