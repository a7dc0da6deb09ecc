"""Time our key frames and contexts against the published schedule: same weights, same frames, one process.

    python benchmarks/speed/contexts.py VIDEO [--segments 6] [--texts 1 5] [--dtypes float32] [--stride 6]
                                        [--demo-clips 0] [--record]

The published schedule encodes, for each segment and each event text: the strings of all class names (one call per
class), the frames, the windows of the primary frame (one call per scale), and the windows of the four frames of the
sequence (one call per window position). It shares nothing between calls. Ours is the planner of a run. The script
fails when the results differ: other key frames, or images that differ by more than one grey level. By default the
weights are random, because time does not depend on their values.

Ours is measured twice: exact, as published, and with dense windows and every ``--stride``-th frame as a candidate for
the key frame, which gives other vectors and is therefore not compared with the published schedule. ``--demo-clips``
measures what dense windows with the stride cost in accuracy: the AUC of the demo's models on that many of its test
clips of each kind, beside the AUC with exact windows and all frames as candidates.

Times are CPU seconds on one thread: of all measures, other programs on the machine change them least.
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
from results import add_record_options, record, table
from safetensors.torch import save_file

from anyanomaly.builtin.contexts import KeyContext, PositionContext, TemporalContext
from anyanomaly.builtin.options import Encoding, KeyOptions, NearestOptions, PositionOptions, TemporalOptions
from anyanomaly.builtin.selectors import TopThenGroupSelector
from anyanomaly.builtin.windows import wording
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.engine.plan import Planner
from anyanomaly.engine.settings import RunSettings
from anyanomaly.types import Crop, Frame, Segment, Video

LENGTH = 24
SIZES = (48, 80, 120)
CLASSES = ("car", "bicycle", "fighting", "throwing", "hand_truck", "running", "skateboarding", "falling")
CLASSES = (*CLASSES, "jumping", "loitering", "motorcycle")
TEXTS = ("bicycle", "car", "running", "falling", "jumping")
ENCODINGS: tuple[Encoding, ...] = ("exact", "dense")
BARE = PromptTemplate("bench", "{text}")


class Published:
    """The published schedule over one CLIP, written from its description. It reuses no embedding."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.model, self.preprocess, self.tokenize = loaded.model, loaded.preprocess, loaded.tokenize
        self.n_crops = self.n_texts = 0

    def encode_images(self, batch: torch.Tensor) -> torch.Tensor:
        """Return unit vectors (n, d) of images (n, 3, 224, 224)."""
        self.n_crops += len(batch)
        with torch.no_grad():
            return torch.nn.functional.normalize(self.model.encode_image(batch).float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Return vectors (n, d) of texts, of any length."""
        self.n_texts += len(texts)
        with torch.no_grad():
            return self.model.encode_text(self.tokenize(list(texts))).float()

    def windows(self, image: np.ndarray, size: int) -> torch.Tensor:
        """Return the windows of one size of an image, as 240 x 240 pixels, resized to (n, 3, 224, 224) in [0, 1]."""
        square = torch.from_numpy(cv2.resize(image, (240, 240)).astype(np.float32) / 255).permute(2, 0, 1)
        starts = range(0, 240 - size + 1, size)
        cuts = torch.stack([square[:, y : y + size, x : x + size] for y in starts for x in starts])
        return torch.nn.functional.interpolate(cuts, size=(224, 224), mode="bilinear")

    def contexts(self, images: Sequence[np.ndarray], text: str) -> tuple[list[int], np.ndarray, np.ndarray]:
        """Return primary and sequence frames, the position and the temporal context of a segment's images."""
        templates = wording()["window_templates"]
        means = [self.encode_texts([line.replace("{}", name) for line in templates]).mean(dim=0) for name in CLASSES]
        classes = torch.nn.functional.normalize(torch.stack(means), dim=-1)
        text_vector = torch.nn.functional.normalize(self.encode_texts([text]), dim=-1)[0]

        frames = torch.stack([self.preprocess(Image.fromarray(image)) for image in images])
        primary = int((self.encode_images(frames) @ text_vector).argmax())
        group = len(images) // 4
        sequence = [primary % group + start * group for start in range(4)]

        maps = []
        for size in SIZES:
            shares = (classes @ self.encode_images(self.windows(images[primary], size)).T).softmax(dim=0)
            side = 240 // size
            square = shares[CLASSES.index(text)].reshape(1, 1, side, side)
            maps.append(torch.nn.functional.interpolate(square, size=(224, 224), mode="bilinear")[0, 0])
        mean = (sum(maps) / len(maps)).numpy()  # type: ignore[union-attr]
        mask = (mean - mean.min()) / (mean.max() - mean.min())
        position = (cv2.resize(images[primary], (224, 224)) * mask[:, :, None]).astype(np.uint8)

        text_vector = torch.nn.functional.normalize(self.encode_texts([text]), dim=-1)[0]
        groups = []
        for size in SIZES:
            groups += list(torch.stack([self.windows(images[at], size) for at in sequence], dim=1))
        best = int(np.argmax([float((self.encode_images(group) @ text_vector).max()) for group in groups]))
        tiles = torch.nn.functional.interpolate(groups[best], size=(112, 112), mode="bilinear")
        rows = [torch.cat([tiles[0], tiles[1]], dim=2), torch.cat([tiles[2], tiles[3]], dim=2)]
        grid = (torch.cat(rows, dim=1).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        return [primary, *sequence], position, grid


def make_planner(
    encoder: OpenClipEncoder,
    texts: tuple[str, ...],
    template: PromptTemplate = BARE,
    *,
    encoding: Encoding = "exact",
    stride: int = 1,
) -> tuple[Planner, CachingEncoder]:
    """Return the planner of a run with the preset `paper`, and its encoder, whose memory is empty."""
    caching_encoder = CachingEncoder(encoder)
    selector = TopThenGroupSelector(NearestOptions(stride=stride))
    contexts = [
        KeyContext(KeyOptions()),
        PositionContext(PositionOptions(contrast=CLASSES, contrast_run_texts=False, encoding=encoding)),
        TemporalContext(TemporalOptions(encoding=encoding)),
    ]
    for component in (selector, *contexts):
        component.encoder = caching_encoder
    weights = {"key": 0.6, "position": 0.3, "temporal": 0.1}
    settings = RunSettings(texts=texts, template=template, weights=weights)
    return Planner(settings, selector, contexts, caching_encoder), caching_encoder


def measure(
    published: Published,
    encoders: Sequence[OpenClipEncoder],
    segments: list[Segment],
    texts: tuple[str, ...],
    stride: int,
) -> list[dict[str, Any]]:
    """Return two rows per encoder. All take turns at each segment: a busy moment of the machine slows all of them."""
    variants = [(encoder, encoding) for encoder in encoders for encoding in ENCODINGS]
    planners = [
        make_planner(encoder, texts, encoding=encoding, stride=stride if encoding == "dense" else 1)
        for encoder, encoding in variants
    ]
    ours_s, published_s = [0.0] * len(planners), 0.0
    n_equal, worst = [0] * len(planners), [0] * len(planners)
    for segment in segments:
        images = [frame.image for frame in segment.frames]
        start = time.process_time()
        expected = [published.contexts(images, text) for text in texts]
        published_s += time.process_time() - start
        for at, (planner, _) in enumerate(planners):
            start = time.process_time()
            ((_, views),) = planner.build_contexts([segment])
            ours_s[at] += time.process_time() - start
            for view, (selection, position, grid) in zip(views, expected, strict=True):
                if selection != [view.key_frames.primary, *view.key_frames.sequence]:
                    continue
                pairs = ((view.contexts[1].images[0], position), (view.contexts[2].images[0], grid))
                difference = max(int(np.abs(a.astype(int) - b.astype(int)).max()) for a, b in pairs)
                worst[at] = max(worst[at], difference)
                n_equal[at] += difference <= 1
    n_segments = len(segments)
    return [
        {
            "texts": len(texts),
            "dtype": encoder.options.dtype,
            "windows": encoding,
            "published_s": round(published_s / n_segments, 2),
            "ours_s": round(ours_s[at] / n_segments, 2),
            "ratio": round(published_s / ours_s[at], 2),
            "published_images": round(published.n_crops / n_segments),
            "ours_images": _describe_images(planners[at][1], n_segments, encoder.options.dense_tiles),
            "published_strings": round(published.n_texts / n_segments),
            "ours_strings_per_run": planners[at][1].n_texts,
            "equal": f"{n_equal[at]}/{n_segments * len(texts)}" if encoding == "exact" else "",
            "worst_grey_levels": worst[at] if encoding == "exact" else "",
        }
        for at, (encoder, encoding) in enumerate(variants)
    ]


def _describe_images(encoder: CachingEncoder, n_segments: int, n_tiles: int) -> str:
    """Return the images that an encoder got per segment; tiles of frames and windows from them apart."""
    n_frames = encoder.n_dense_frames / n_segments
    if not n_frames:
        return str(round(encoder.n_crops / n_segments))
    n_others = (encoder.n_crops - encoder.n_dense_windows) / n_segments
    n_windows = encoder.n_dense_windows / n_segments
    return f"{n_others:.0f} + {n_frames * n_tiles**2:.0f} tiles ({n_windows:.0f} windows)"


def measure_accuracy(n_clips: int, stride: int) -> list[dict[str, Any]]:
    """Return a row per kind of events: AUC of the demo's models with exact windows, and with dense ones at a stride."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from anyanomaly_demo.measure import auc
    from anyanomaly_demo.scenes import CLASSES as DEMO_CLASSES
    from anyanomaly_demo.search_settings import CONTEXTS, SELECTOR, WEIGHTS
    from demo import search

    arguments = argparse.Namespace(split="test", clips=n_clips, root="", backend="demo-hf", scoring="expected")
    dense = {"encoding": "dense"}
    contexts = {name: {**options, **(dense if name != "key" else {})} for name, options in CONTEXTS.items()}
    rows = []
    for flavour in DEMO_CLASSES:
        exact_lines, labels, exact_s = search(flavour, arguments, SELECTOR, CONTEXTS)
        dense_lines, _, dense_s = search(flavour, arguments, {**SELECTOR, **dense, "stride": stride}, contexts)
        aucs = [auc(timelines, labels, WEIGHTS) for timelines in (exact_lines, dense_lines)]
        row = {
            "events": flavour,
            "clips": n_clips,
            "exact": f"{aucs[0]:.3f}",
            f"dense, stride {stride}": f"{aucs[1]:.3f}",
        }
        rows.append(row | {"difference": f"{aucs[1] - aucs[0]:+.3f}", "seconds": f"{exact_s:.0f}, {dense_s:.0f}"})
    return rows


def read_segments(path: str, n_segments: int) -> list[Segment]:
    """Return the first segments of a video."""
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
    """Measure, print, record; return 1 when the results of ours in float32 differ from the published schedule."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--segments", type=int, default=6)
    parser.add_argument("--texts", type=int, nargs="+", default=[1, 5], help=f"how many, up to {len(TEXTS)}")
    parser.add_argument("--dtypes", nargs="+", default=["float32"], help="of ours")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stride", type=int, default=6, help="of the candidates for the key frame, with dense windows")
    parser.add_argument("--demo-clips", type=int, default=0, help="test clips of each kind for the accuracy; 0: none")
    parser.add_argument("--model", type=Path, help="folder of an open_clip model; default: ViT-B/32, random weights")
    add_record_options(parser)
    arguments = parser.parse_args()
    segments = read_segments(arguments.video, arguments.segments)
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    rows = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        weights = arguments.model or Path(folder) / "vit-b-32.safetensors"
        if arguments.model is None:
            save_file(open_clip.create_model("ViT-B-32-quickgelu").state_dict(), weights)
        options = [OpenClipOptions(model=str(weights), dtype=dtype) for dtype in arguments.dtypes]
        encoders = [stack.enter_context(OpenClipEncoder(encoder_options)) for encoder_options in options]
        published = load_model(OpenClipOptions(model=str(weights)))  # as open_clip builds it
        for encoder in encoders:  # warm-up
            encoder.encode_crops([Crop(segments[0].frames[0]), Crop(segments[0].frames[0], None, "dense")] * 4)
        for n_texts in arguments.texts:
            rows += measure(Published(published), encoders, segments, TEXTS[:n_texts], arguments.stride)
    tables = table(rows)
    print(tables)
    if arguments.demo_clips:
        accuracy = table(measure_accuracy(arguments.demo_clips, arguments.stride))
        print(accuracy)
        tables += f"\nAUC of the demo's models on its test clips, with the demo's own settings.\n\n{accuracy}"
    if arguments.record:
        model = f"the model {arguments.model.name}" if arguments.model else "random ViT-B/32"
        about = (
            f"Per segment of {LENGTH} frames, {model}, {len(segments)} segments of {Path(arguments.video).name}. "
            f"CPU seconds on one thread, {platform.machine()} with {torch.backends.cpu.get_cpu_capability()}. "
            "Ours encodes the windows of a frame once for all texts with that key frame; texts with different key "
            "frames need more windows. "
            f"Dense windows have every {arguments.stride}th frame as a candidate for the key frame."
        )
        record("contexts", "Contexts against the published schedule", f"{about}\n\n{tables}", arguments.results)
    is_compared = [row for row in rows if row["dtype"] == "float32" and row["windows"] == "exact"]
    unequal = [row for row in is_compared if len(set(row["equal"].split("/"))) > 1]
    if unequal:
        print("Key frames or contexts differ from the published ones: the times cannot be compared.", file=sys.stderr)
    return bool(unequal)


if __name__ == "__main__":
    sys.exit(main())
