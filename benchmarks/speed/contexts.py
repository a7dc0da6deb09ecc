"""Our key frames and contexts against the published schedule, written out: same weights, same frames, one run.

    python benchmarks/speed/contexts.py VIDEO [--segments 3] [--texts 1 5] [--dtypes float32 bfloat16] [--record]

The published schedule, per segment and per event text: the strings of all class names encoded again, one class a
call; the frames encoded; the windows of the primary frame, one scale a call; the windows of the sequence, one
position of four frames a call. Nothing is shared. Ours is what a run does: the engine's planner. Results must be
equal (selections the same, images within one grey level), else the script fails. The weights are random: time does
not depend on their values.

Times are CPU seconds on one thread, which a machine that is busy with other things changes least. ``--record`` writes
the table into benchmarks/RESULTS.md.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import open_clip
import torch
from anyanomaly_openclip.encoder import OpenClipEncoder
from anyanomaly_openclip.loading import LoadedModel, load_model
from anyanomaly_openclip.options import OpenClipOptions
from PIL import Image
from results import record, table
from safetensors.torch import save_file

from anyanomaly.builtin.contexts import KeyContext, PositionContext, TemporalContext
from anyanomaly.builtin.options import KeyOptions, PositionOptions, SelectorOptions, TemporalOptions
from anyanomaly.builtin.selectors import TopThenGroupSelector
from anyanomaly.builtin.windows import wording
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.plan import Planner
from anyanomaly.engine.remember import RememberingEncoder
from anyanomaly.engine.settings import RunSettings
from anyanomaly.types import Crop, Frame, Segment, Video

LENGTH = 24
SIZES = (48, 80, 120)
CLASSES = ("car", "bicycle", "fighting", "throwing", "hand_truck", "running", "skateboarding", "falling")
CLASSES = (*CLASSES, "jumping", "loitering", "motorcycle")
TEXTS = ("bicycle", "car", "running", "falling", "jumping")
BARE = PromptTemplate("bench", "{text}")


class Published:
    """The published schedule over one CLIP, from its description: nothing kept from one call to the next."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.model, self.preprocess, self.tokenize = loaded.model, loaded.preprocess, loaded.tokenize
        self.n_crops = self.n_texts = 0

    def images(self, batch: torch.Tensor) -> torch.Tensor:
        self.n_crops += len(batch)
        with torch.no_grad():
            return torch.nn.functional.normalize(self.model.encode_image(batch).float(), dim=-1)

    def texts(self, texts: Sequence[str]) -> torch.Tensor:
        self.n_texts += len(texts)
        with torch.no_grad():
            return self.model.encode_text(self.tokenize(list(texts))).float()

    def windows(self, image: np.ndarray, size: int) -> torch.Tensor:
        square = torch.from_numpy(cv2.resize(image, (240, 240)).astype(np.float32) / 255).permute(2, 0, 1)
        starts = range(0, 240 - size + 1, size)
        cuts = torch.stack([square[:, y : y + size, x : x + size] for y in starts for x in starts])
        return torch.nn.functional.interpolate(cuts, size=(224, 224), mode="bilinear")

    def segment(self, images: Sequence[np.ndarray], text: str) -> tuple[list[int], np.ndarray, np.ndarray]:
        templates = wording()["window_templates"]
        means = [self.texts([each.replace("{}", name) for each in templates]).mean(dim=0) for name in CLASSES]
        classes = torch.nn.functional.normalize(torch.stack(means), dim=-1)
        bare = torch.nn.functional.normalize(self.texts([text]), dim=-1)[0]

        whole = torch.stack([self.preprocess(Image.fromarray(image)) for image in images])
        primary = int((self.images(whole) @ bare).argmax())
        group = len(images) // 4
        sequence = [primary % group + start * group for start in range(4)]

        maps = []
        for size in SIZES:
            shares = (classes @ self.images(self.windows(images[primary], size)).T).softmax(dim=0)
            side = 240 // size
            square = shares[CLASSES.index(text)].reshape(1, 1, side, side)
            maps.append(torch.nn.functional.interpolate(square, size=(224, 224), mode="bilinear")[0, 0])
        mean = (sum(maps) / len(maps)).numpy()  # type: ignore[union-attr]
        mask = (mean - mean.min()) / (mean.max() - mean.min())
        position = (cv2.resize(images[primary], (224, 224)) * mask[:, :, None]).astype(np.uint8)

        bare = torch.nn.functional.normalize(self.texts([text]), dim=-1)[0]
        groups = []
        for size in SIZES:
            groups += list(torch.stack([self.windows(images[at], size) for at in sequence], dim=1))
        best = int(np.argmax([float((self.images(each) @ bare).max()) for each in groups]))
        tiles = torch.nn.functional.interpolate(groups[best], size=(112, 112), mode="bilinear")
        rows = [torch.cat([tiles[0], tiles[1]], dim=2), torch.cat([tiles[2], tiles[3]], dim=2)]
        grid = (torch.cat(rows, dim=1).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        return [primary, *sequence], position, grid


def planner(
    encoder: OpenClipEncoder, texts: tuple[str, ...], template: PromptTemplate = BARE
) -> tuple[Planner, RememberingEncoder]:
    """Ours, as a run with the preset `paper` makes it; nothing remembered yet."""
    remembering = RememberingEncoder(encoder)
    selector = TopThenGroupSelector(SelectorOptions())
    contexts = [
        KeyContext(KeyOptions()),
        PositionContext(PositionOptions(contrast=CLASSES, contrast_run_texts=False)),
        TemporalContext(TemporalOptions()),
    ]
    for part in (selector, *contexts):
        part.encoder = remembering
    weights = {"key": 0.6, "position": 0.3, "temporal": 0.1}
    settings = RunSettings(texts=texts, template=template, weights=weights)
    return Planner(settings, selector, contexts, remembering), remembering


def measure(
    published: Published, encoders: Sequence[OpenClipEncoder], segments: list[Segment], texts: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Time the published schedule and ours, segment by segment in turn: a busy moment of the machine hits all."""
    plans = [planner(encoder, texts) for encoder in encoders]
    ours_s, published_s = [0.0] * len(plans), 0.0
    same, worst = [0] * len(plans), [0] * len(plans)
    for segment in segments:
        images = [frame.image for frame in segment.frames]
        start = time.process_time()
        expected = [published.segment(images, text) for text in texts]
        published_s += time.process_time() - start
        for at, (plan, _) in enumerate(plans):
            start = time.process_time()
            ((_, shown),) = plan.build_contexts([segment])
            ours_s[at] += time.process_time() - start
            for each, (selection, position, grid) in zip(shown, expected, strict=True):
                if selection != [each.key_frames.primary, *each.key_frames.sequence]:
                    continue
                pairs = ((each.contexts[1].images[0], position), (each.contexts[2].images[0], grid))
                difference = max(int(np.abs(a.astype(int) - b.astype(int)).max()) for a, b in pairs)
                worst[at] = max(worst[at], difference)
                same[at] += difference <= 1
    n_segments = len(segments)
    return [
        {
            "texts": len(texts),
            "dtype": encoder.options.dtype,
            "published_s": round(published_s / n_segments, 2),
            "ours_s": round(ours_s[at] / n_segments, 2),
            "ratio": round(published_s / ours_s[at], 2),
            "published_images": round(published.n_crops / n_segments),
            "ours_images": round(plans[at][1].n_crops / n_segments),
            "published_strings": round(published.n_texts / n_segments),
            "ours_strings_per_run": plans[at][1].n_texts,
            "equal": f"{same[at]}/{n_segments * len(texts)}",
            "worst_grey_levels": worst[at],
        }
        for at, encoder in enumerate(encoders)
    ]


def read_segments(path: str, n_segments: int) -> list[Segment]:
    capture = cv2.VideoCapture(path)
    images = []
    while len(images) < n_segments * LENGTH:
        ok, image = capture.read()
        if not ok:
            raise SystemExit(f"{path} has fewer than {n_segments * LENGTH} frames; lower --segments.")
        images.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    height, width, _ = images[0].shape
    video = Video("bench", path, 25.0, len(images), width, height)
    frames = [Frame(video, index, index / 25, image) for index, image in enumerate(images)]
    return [
        Segment(video, at, at * LENGTH, (at + 1) * LENGTH, tuple(frames[at * LENGTH : (at + 1) * LENGTH]),
                np.arange(at * LENGTH, (at + 1) * LENGTH) / 25)
        for at in range(n_segments)
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--segments", type=int, default=3)
    parser.add_argument("--texts", type=int, nargs="+", default=[1, 5], help=f"how many, up to {len(TEXTS)}")
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"], help="of ours")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    segments = read_segments(given.video, given.segments)
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    rows = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        weights = Path(folder) / "vit-b-32.safetensors"
        save_file(open_clip.create_model("ViT-B-32-quickgelu").state_dict(), weights)
        options = [OpenClipOptions(model=str(weights), dtype=dtype) for dtype in given.dtypes]
        encoders = [stack.enter_context(OpenClipEncoder(each)) for each in options]
        published = load_model(OpenClipOptions(model=str(weights)))  # the whole model, as open_clip builds it
        for encoder in encoders:  # warm-up
            encoder.encode_crops([Crop(segments[0].frames[0])] * 4)
        for n_texts in given.texts:
            rows += measure(Published(published), encoders, segments, TEXTS[:n_texts])
    print(table(rows))
    if given.record:
        about = (
            f"Per segment of {LENGTH} frames, random ViT-B/32, {len(segments)} segments of {Path(given.video).name}. "
            f"CPU seconds on one thread, {platform.machine()} with {torch.backends.cpu.get_cpu_capability()}. "
            "Ours encodes the windows of a frame once, however many texts chose it; texts that choose different frames "
            "need more of them."
        )
        record("contexts", "Contexts against the published schedule", f"{about}\n\n{table(rows)}")
    unequal = [row for row in rows if row["dtype"] == "float32" and len(set(row["equal"].split("/"))) > 1]
    if unequal:
        print("The results differ: the times say nothing.", file=sys.stderr)
    return bool(unequal)


if __name__ == "__main__":
    sys.exit(main())
