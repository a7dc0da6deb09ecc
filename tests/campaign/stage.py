"""The place of one case: its folder, environment and source of chance, and the faults found."""

from __future__ import annotations

import pickle
import random
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from tests.campaign.judge import Fault, FaultKind, judge
from tests.campaign.process import Outcome, start, wait

PLUGIN = Path(__file__).with_name("plugin.py")
TIME_LIMIT_S = 30.0
PLAIN_RUN = ("--selector", "middle", "--context", "key", "--encoder", "levels", "--segment-frames", "8")
"""Flags of a run of `plugin.py` with one question per segment of 8 frames."""


class Stage:
    """Where one case plays.

    ``folder/work`` is the working folder of its commands; the user's own folders are beside it.
    """

    def __init__(self, folder: Path, name: str, seed: int, assets: Path) -> None:
        """:param folder: a folder that does not exist. :param name: class of the case."""
        self.random = random.Random(f"{name} {seed}")
        self.seed = seed
        self.folder = folder
        self.work = folder / "work"
        self.cache = folder / "cache"
        self.assets = assets  # videos and images, read only
        self.secret = f"sk-campaign-{self.random.getrandbits(64):016x}"
        self.faults: list[Fault] = []
        self.outcomes: list[Outcome] = []
        self.servers: set[int] = set()  # processes of this case that are no part of a command
        self.work.mkdir(parents=True)
        (folder / "home").mkdir()
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder / "home"),
            "XDG_CONFIG_HOME": str(folder / "home" / "config"),
            "XDG_CACHE_HOME": str(folder / "home" / "cache"),
            "ANYANOMALY_CACHE_DIR": str(self.cache),
            "CAMPAIGN_KEY": self.secret,
            "COLUMNS": "110",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.use_plugins()

    def use_plugins(self, *names: str) -> None:
        """Let commands load these installed plugins only; each costs time."""
        disabled = sorted({point.name for point in entry_points(group="anyanomaly")} - set(names))
        self.environment["ANYANOMALY_DISABLE_PLUGINS"] = ",".join(disabled)

    def fault(self, kind: FaultKind, message: str) -> None:
        """Note a fault."""
        self.faults.append(Fault(kind, message))

    def check(self, is_right: bool, message: str) -> None:
        """Note a silent wrong result unless ``is_right``."""
        if not is_right:
            self.fault("wrong result", message)

    def write(self, name: str | bytes, content: str | bytes) -> Path:
        """Write a file in the working folder and return its path."""
        path = self.work / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        return path

    def start(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        before: Callable[[], object] | None = None,
    ) -> int:
        """Start ``anyanomaly`` with arguments in a forked process and return its id; `finish` waits for it.

        :param before: called in the process before the command line.
        """

        def act() -> None:
            if before:
                before()
            from anyanomaly.cli import entry

            sys.argv = ["anyanomaly", *arguments]
            entry()

        return start(act, self.folder, {**self.environment, **(environment or {})})

    def finish(
        self,
        process_id: int,
        arguments: Sequence[str],
        codes: Collection[int],
        time_limit_s: float = TIME_LIMIT_S,
    ) -> Outcome:
        """Wait for a process of `start`, judge it, and return its outcome."""
        command = f"anyanomaly {' '.join(shlex.quote(argument) for argument in arguments)}"
        outcome = wait(process_id, command, self.folder, time_limit_s, frozenset(self.servers))
        self.outcomes.append(outcome)
        self.faults += judge(outcome, codes, [self.secret])
        return outcome

    def run(
        self,
        *arguments: str,
        codes: Collection[int] = (0,),
        writes: Collection[str] = (),
        time_limit_s: float = TIME_LIMIT_S,
        environment: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run ``anyanomaly`` with arguments, and judge it.

        :param codes: the exit codes that are right. :param writes: names, or parts of names, of files that it may
            write in the working folder.
        """
        before = self._files()
        outcome = self.finish(self.start(arguments, environment), arguments, codes, time_limit_s)
        self._check_files(before, writes)
        return outcome

    def engine_run(self, *arguments: str, **settings: Any) -> Outcome:
        """Run ``anyanomaly run`` with the campaign's plugin and backend."""
        return self.run("-p", str(PLUGIN), "run", *arguments, *PLAIN_RUN, "--backend", "levels", **settings)

    def call(self, function: Callable[[], Any], time_limit_s: float = TIME_LIMIT_S) -> Any:
        """Return what a function of the Python interface returns in a forked process; an exception is returned too.

        None when it did not end well, which is a fault.
        """
        target = self.folder / "returned"

        def act() -> None:
            try:
                value = function()
            except Exception as error:
                from anyanomaly.errors import AnyAnomalyError

                if not isinstance(error, AnyAnomalyError):
                    traceback.print_exc()
                value = error
            target.write_bytes(pickle.dumps(value))

        target.unlink(missing_ok=True)
        outcome = wait(start(act, self.folder, self.environment), "a Python call", self.folder, time_limit_s)
        self.outcomes.append(outcome)
        self.faults += judge(outcome, (0,), [self.secret])
        return pickle.loads(target.read_bytes()) if target.exists() else None

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> dict[Path, tuple[int, int]]:
        states = {}
        for path in self.work.rglob("*"):
            state = path.lstat()
            states[path] = (state.st_mtime_ns, state.st_size)
        return states

    def _check_files(self, before: Mapping[Path, tuple[int, int]], writes: Collection[str]) -> None:
        after = self._files()
        changed = [path for path in before | after if before.get(path) != after.get(path) and not path.is_dir()]
        for path in changed:
            name = str(path.relative_to(self.work))
            if not any(part in name for part in writes):
                self.fault("leak", f"wrote or removed {name!r}, which was not asked for")
            elif path.is_file() and self.secret.encode() in path.read_bytes():
                self.fault("leak", f"a secret in {name!r}")
