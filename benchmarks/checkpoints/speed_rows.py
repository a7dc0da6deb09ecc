"""A process that measures the speed of runs with one backend: ``python -m benchmarks.checkpoints.speed_rows``.

It reads a JSON object from standard input: the tables of all runs, what each run changes in them, and the seconds that
a run should last. The backend is loaded once. For each run it writes a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyanomaly.bench.speed import SegmentCounts, measure_speed
from anyanomaly.bench.worker import SharingRegistry
from anyanomaly.config.load import config_from_tables
from anyanomaly.engine.clock import Speed

MOST_TRIES = 3
FIRST_SEGMENTS = 2  # of a short run that warms up, and tells how many segments to measure


def write_encoder(folder: Path, *, tiny: bool) -> Path:
    """Write the encoder of the paper, CLIP ViT-B/32, or a small one, with random weights in open_clip's layout."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    text = {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12}
    vision = {"image_size": 224, "patch_size": 32, "width": 768, "layers": 12}
    if tiny:
        text |= {"width": 64, "heads": 2, "layers": 2}
        vision |= {"width": 64, "head_width": 32, "layers": 2}
    config = {"embed_dim": 64 if tiny else 512, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}
    torch.manual_seed(0)
    model = open_clip.model.CLIP(**config)
    folder.mkdir(parents=True)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    description = {"model_cfg": config, "preprocess_cfg": {"mean": mean, "std": std}}
    (folder / "open_clip_config.json").write_text(json.dumps(description), encoding="utf-8")
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def measure_run(tables: Mapping[str, Any], registry: SharingRegistry, seconds: float, most_segments: int) -> Speed:
    """Return the speed of a run of about ``seconds``, after a short one.

    :param most_segments: that the video has.
    """
    config = config_from_tables(tables)
    n_segments = min(FIRST_SEGMENTS, most_segments)
    for _ in range(MOST_TRIES):  # an engine that works on many questions at once is faster in a longer run
        result = measure_speed(config, registry, SegmentCounts(n_segments, 1, 1))
        assert result is not None
        speed = result.throughput
        if n_segments == most_segments or speed.wall_s > seconds / 2:
            break
        n_segments = min(max(int(n_segments * seconds / speed.wall_s), n_segments + 1), most_segments)
    return speed


def main(job: Mapping[str, Any]) -> None:
    """Measure each run, and tell."""

    def tell(**values: Any) -> None:
        print(json.dumps({"row": True, **values}), flush=True)

    with contextlib.closing(SharingRegistry(())) as registry:
        for run in job["runs"]:
            start = time.perf_counter()
            try:
                speed = measure_run({**job["tables"], **run["tables"]}, registry, job["seconds"], job["segments"])
            except Exception as error:  # each row stands alone
                traceback.print_exc()
                tell(name=run["name"], error=f"{type(error).__name__}: {error}")
                continue
            tell(
                name=run["name"],
                seconds=time.perf_counter() - start,
                paper_fps=speed.paper_fps,
                load_s=dict(registry.load_s),
                **asdict(speed),
            )


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
