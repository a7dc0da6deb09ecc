"""``anyanomaly bench``: a table on standard output, and nothing lost where it cannot be written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.errors import OutputError
from tests.bench.examples import RECIPE, write_recipe
from tests.cli.conftest import Cli

SCENES = str(Path(__file__).with_name("fake_dataset.py"))


def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dead, rest = RECIPE.partition('[[backend]]\nlabel = "Dead"')
    recipe = write_recipe(folder, RECIPE.replace(dead + rest.partition("\n\n")[0], ""))
    words = ["-p", SCENES, "-q", "bench", str(recipe), "-d", "out", "--root", f"scenes={folder}"]
    write, n_written = SafeFile.write, 0

    def full(self: SafeFile, text: str) -> None:
        nonlocal n_written
        n_written += 1
        if n_written > 1:
            raise OutputError(f"No space left for {self.path.name}.")
        write(self, text)

    with monkeypatch.context() as patch:
        patch.setattr(SafeFile, "write", full)
        stopped = cli(*words)
    assert stopped.code == 6
    assert stopped.error.startswith("anyanomaly: No space left for red-scenes-proposed-")  # not for a table
    listed = cli(*words, "--list")
    assert [line.split("\t")[0] for line in listed.out.splitlines()] == ["done", "-"]
    went_on = cli(*words)
    assert went_on.code == 0
    assert went_on.out == Path("out/table.md").read_text()
    assert "| Red | published | 80.0 | 85.5 |" in went_on.out
    pages = re.findall(r"\]\((pages/[^)]+\.html)\)", went_on.out)
    assert len(pages) == 2
    assert all("Worst mistakes" in Path("out", page).read_text(encoding="utf-8") for page in pages)
