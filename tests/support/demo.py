"""``make demo``: a made clip, a tiny random CLIP and a tiny random Qwen2.5-VL, and the real command over them.

Until trained demo models ship, its scores mean nothing: it shows that everything runs, and what comes out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from anyanomaly.cli import main
from anyanomaly.testing.videos import synthetic_video
from tests.support.tiny_models import make_clip, make_model


def demo(folder: Path) -> int:
    """Make what is needed in ``folder`` and run over it."""
    folder.mkdir(parents=True, exist_ok=True)
    clip, encoder, backend = folder / "clip.mp4", folder / "tiny-clip", folder / "tiny-qwen2.5-vl"
    synthetic_video(clip, size=(320, 240))
    if not encoder.exists():
        make_clip(encoder)
    if not backend.exists():
        make_model("qwen2_5_vl", backend)
    command = [
        "run", str(clip), "-t", "a red square",
        "--encoder.model", str(encoder),
        "--backend", "transformers", "--backend.model", str(backend),
        "--scoring", "expected",
        *(part for name in ("results.jsonl", "frames.csv", "events.json") for part in ("-o", str(folder / name))),
    ]  # fmt: skip
    print(f"anyanomaly {' '.join(command)}\n", flush=True)
    code = main(command)
    print(
        "\nThe models are tiny and random: these scores mean nothing.\n"
        "Next, on your own video with a real model (7 GB, downloaded once):\n"
        '  anyanomaly run VIDEO.mp4 -t "a person falls" -o results.jsonl -o frames.csv\n'
        '  anyanomaly show VIDEO.mp4 -t "a person falls" --at 0:10 -d segment\n'
        "  anyanomaly plugins"
    )
    return code


if __name__ == "__main__":
    sys.exit(demo(Path(sys.argv[1])))
