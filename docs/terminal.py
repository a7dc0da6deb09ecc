"""Draw what a terminal shows of a run over two synthetic clips: ``python docs/terminal.py FOLDER [TEXT ...]``.

Writes ``terminal.svg``, when most of the run is done, and ``terminal-end.svg``. The pictures load no font.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path

from anyanomaly_demo.clip_files import write_video
from anyanomaly_demo.command import EVENTS, N_FRAMES, SEED
from anyanomaly_demo.scenes import make_scene
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS = 96
TEXTS = ("bicycle", "dog", "fighting")
# how the demo itself searches its clips
SETTINGS = """
encoder = "demo-clip"
backend = {name = "demo-hf", batch_size = 4}
selector = {name = "top-then-group", windows = [120]}
context.key.weight = 0.2
context.position = {weight = 0.1, softmax = false, min_brightness = 0.3}
context.temporal = {weight = 0.7, windows = 5}
run = {segment_frames = 12, threshold = 0.35, smooth_seconds = 1.0, store = false}
"""
_DRAWING = re.compile(r"(?:\r|\x1b\[\d+A)*\x1b\[\?7l(.*?)\x1b\[\?7h\x1b\[J", re.DOTALL)
_CONTROL = re.compile(r"\r|\x1b\[\d*[AJK]")


def run_in_terminal(command: Sequence[str], folder: Path) -> str:
    """Return what a command writes to a terminal."""
    terminal, stream = pty.openpty()
    fcntl.ioctl(stream, termios.TIOCSWINSZ, struct.pack("HHHH", 30, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=stream, stdout=stream, stderr=stream)
    os.close(stream)
    content = b""
    try:
        while part := os.read(terminal, 65536):
            content += part
    except OSError:  # the process has closed the terminal
        pass
    os.close(terminal)
    if code := process.wait():
        sys.exit(f"{content.decode()}\nexit code {code}")
    return content.decode()


def draw(lines: Sequence[str], path: Path) -> None:
    """Write lines with their colours as SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="256")
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, overflow="crop")
    code_format = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(
        title="anyanomaly", code_format=code_format.replace("Fira Code, ", ""), unique_id="terminal"
    )
    path.write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()), encoding="utf-8")


def write_clips(folder: Path) -> None:
    """Draw the clips of the demo, and write how it searches them."""
    for flavour, events in EVENTS.items():
        scene = make_scene(SEED, flavour=flavour, n_frames=N_FRAMES, events=events)
        write_video(scene, folder / f"{flavour}.mp4")
    (folder / "settings.toml").write_text(SETTINGS)


def main(folder: Path, event_texts: Sequence[str]) -> None:
    """Draw the clips, search them, and write the pictures."""
    texts = [argument for text in event_texts for argument in ("-t", text)]
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        write_clips(work)
        command = [sys.executable, "-m", "anyanomaly", "--config", "settings.toml", "run"]
        printed = run_in_terminal([*command, "appearance.mp4", "action.mp4", *texts], work)
    drawings = list(_DRAWING.finditer(printed))
    picture = drawings[len(drawings) * 4 // 5]
    printed_before = _CONTROL.sub("", _DRAWING.sub("", printed[: picture.start()])).splitlines()
    printed_after = _CONTROL.sub("", _DRAWING.sub("", printed)).splitlines()
    command = f"$ anyanomaly run appearance.mp4 action.mp4 {' '.join(texts)}"
    draw([command, *printed_before, *_CONTROL.sub("", picture[1]).splitlines()], folder / "terminal.svg")
    draw([command, *printed_after], folder / "terminal-end.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or TEXTS)
