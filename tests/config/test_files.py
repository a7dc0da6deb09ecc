"""Config files: whatever lies there, the answer is settings or one sentence that names the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.config.files import FILE_NAME, ConfigFile, find_file, read_file, read_toml, user_file
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.registry import Registry, load

FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "cannot be read: "),
    "a named pipe": (os.mkfifo, "cannot be read: "),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "cannot be read: "),
    "a link to nothing": (lambda path: path.symlink_to("gone"), "cannot be read: No such file"),
    "a link to itself": (lambda path: path.symlink_to(path), "cannot be read: Too many levels"),
    "a huge file": (lambda path: path.write_bytes(b"#" * ((1 << 18) + 1)), "cannot be read: Larger than 256 KiB"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is not valid TOML"),
    "no TOML": (lambda path: path.write_text("[run\n"), "is not valid TOML"),
    "a number too long": (lambda path: path.write_text(f"a = {'9' * 5000}"), "is not valid TOML"),
    "deep lists": (lambda path: path.write_text(f"a = {'[' * 100_000}"), "lists in each other"),
    "deep tables": (lambda path: path.write_text(f"{'a.' * 100}a = 1"), "lists in each other"),
    "a name of many parts": (lambda path: path.write_text(f"{'a.' * 100_000}a = 1"), "more than 200 dots"),
    "a long wrong value": (lambda path: path.write_text(f"texts = '{'x' * 10_000}'"), "it must be a list"),
    "a long name": (lambda path: path.write_text(f"{'x' * 10_000} = 1"), "There is no setting"),
}


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a new current folder; the user's folder is beside it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    monkeypatch.delenv("ANYANOMALY_CONFIG", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize(("make", "problem"), FAULTS.values(), ids=FAULTS.keys())
def test_a_file_that_cannot_be_used_is_one_sentence(
    make: Callable[[Path], object], problem: str, here: Path, registry: Registry
) -> None:
    make(here / FILE_NAME)
    file = find_file()
    assert file == ConfigFile(Path(FILE_NAME), is_named=False)
    with pytest.raises(UsageError) as caught:
        read_file(file, registry)
    message = str(caught.value)
    assert FILE_NAME in message
    assert problem in message
    assert len(message) < 600


@given(st.binary(max_size=300) | st.text("[]{}='\"\n.ax10-:", max_size=200).map(str.encode))
def test_any_content_is_settings_or_an_error_of_ours(content: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anyanomaly.config.files.read_bytes", lambda *_: content)
        try:
            tables = read_toml(Path("x.toml"), "recipe")
        except InvalidOption as error:
            tables = {"message": str(error)}
    assert isinstance(tables, dict)
    assert tables.get("message", "The recipe x.toml").startswith("The recipe x.toml")


def test_which_file_is_read_and_which_is_named_by_the_user(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_file() is None
    user_file().parent.mkdir(parents=True)
    user_file().touch()
    assert find_file() == ConfigFile(user_file(), is_named=True)
    (here / FILE_NAME).touch()
    assert find_file() == ConfigFile(Path(FILE_NAME), is_named=False)
    assert find_file(FILE_NAME) == ConfigFile(Path(FILE_NAME), is_named=True)
    monkeypatch.setenv("ANYANOMALY_CONFIG", FILE_NAME)
    assert find_file() == ConfigFile(Path(FILE_NAME), is_named=True)
    monkeypatch.delenv("ANYANOMALY_CONFIG")
    monkeypatch.chdir(user_file().parent)  # the user's own file lies in the current folder
    assert find_file() == ConfigFile(user_file(), is_named=True)
