"""Write result files without losing data: older results, or those that were written before a failure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from anyanomaly.errors import OutputError
from anyanomaly.outside_text import terminal_text


class SafeFile:
    """Text that goes to ``NAME.partial`` and becomes ``NAME`` on ``close``; without any text, nothing changes.

    ``-`` is standard output. Every failure is an ``OutputError``; the text written before it stays in ``NAME.partial``,
    and an older ``NAME`` is not changed.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._to_stdout = path == "-"
        self._partial = self.path.with_name(self.path.name + ".partial")
        self._file: IO[str] | None = None
        self._failed = False

    def check(self) -> None:
        """Check that the file can be written, without changing it.

        :raises OutputError: when it cannot.
        """
        if self._to_stdout:
            return
        if self.path.is_dir():
            raise OutputError(f"Cannot write {self.path}: it is a folder. Name a file.")
        existed = self._partial.exists()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.open("a").close()
            if not existed:
                self._partial.unlink()
        except FileExistsError as error:
            raise OutputError(
                f"Cannot write {self.path}: {error.filename} is not a folder. Use another path."
            ) from error
        except OSError as error:
            raise OutputError(f"Cannot write {self.path}: {error.strerror}. Use another path.") from error

    def write(self, text: str) -> None:
        """Write and flush.

        :raises OutputError: when that fails.
        """
        if self._to_stdout:
            sys.stdout.write(terminal_text(text) if sys.stdout.isatty() else text)
            sys.stdout.flush()
            return
        try:
            if self._file is None:
                self._file = self._partial.open("w", encoding="utf-8", errors="backslashreplace", newline="")
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            self._failed = True
            raise OutputError(
                f"Cannot continue writing {self.path}: {error.strerror}. The results so far are kept in "
                f"{self._partial.name}; free some space and run again; stored answers are reused."
            ) from error

    def replace(self, text: str) -> None:
        """Replace all text written so far.

        :raises OutputError: when that fails.
        """
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
        self.write(text)

    def close(self) -> None:
        """Rename the partial file to its final name, unless a write failed.

        :raises OutputError: when that fails and no write failed before.
        """
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            file.close()
            if not self._failed:
                self._partial.replace(self.path)
        except OSError as error:
            if not self._failed:  # otherwise `write` has raised the same error
                raise OutputError(
                    f"Cannot write {self.path}: {error.strerror}. The results are in {self._partial}."
                ) from error
