"""The contexts that the method itself makes of drawn segments, with the trained CLIP choosing frames and windows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tokens
import torch
from anyanomaly_demo.measure import SMALL_HEIGHT
from anyanomaly_demo.search_settings import CONTEXTS, SELECTOR
from asking import Batch, ask, question
from cells import N_CLASSES, Floats
from clip import SIZE, build
from draw import NAMES
from examples import SHOWN, SIDE, Example, Scenes, grid, key, position
from torch.nn import functional
from tower import Pair, mirror

from anyanomaly.builtin.windows import wording
from anyanomaly.core.grid import attention_mask, without_nested

BOXES = [
    (x, y, size)
    for size in (48, 80, 120)
    for y in range(0, SIDE - size + 1, size)
    for x in range(0, SIDE - size + 1, size)
]
MIN_BRIGHTNESS = float(CONTEXTS["position"]["min_brightness"])
N_WINDOWS = int(CONTEXTS["temporal"]["windows"])
NEAR = [size in SELECTOR["windows"] for _, _, size in BOXES]
"""The windows by which key frames are chosen."""
GROUPS = (range(6), range(6, 12))  # appearance, action: the texts of one run


class Chooser:
    """The trained CLIP, as the plugin openclip would run it."""

    def __init__(self, folder: Path) -> None:
        import open_clip
        from safetensors.torch import load_file

        self.model = build()
        state = load_file(folder / "open_clip_model.safetensors")
        self.model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
        self.model.eval().to(memory_format=torch.channels_last)
        tokenize = open_clip.SimpleTokenizer(context_length=32)
        with torch.inference_mode():
            self.texts = functional.normalize(self.model.encode_text(tokenize(list(NAMES))), dim=-1).numpy()
            means = [
                self.model.encode_text(tokenize([s.replace("{}", name) for s in wording()["window_templates"]])).mean(0)
                for name in NAMES
            ]
            self.means = functional.normalize(torch.stack(means), dim=-1).numpy()

    @torch.inference_mode()
    def choose(self, frames: list[Any]) -> tuple[Any, Any, Any]:
        """Return per class the primary frame (12,), the windows' similarity and cosines for the position (12, 38)."""
        squares = [cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for frame in frames]
        crops = [
            cv2.resize(s[y : y + z, x : x + z], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
            for s in squares
            for x, y, z in BOXES
        ]
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        vectors = functional.normalize(self.model.encode_image(pixels), dim=-1).numpy()
        windows = vectors.reshape(len(frames), len(BOXES), -1)
        similarity = np.einsum("td,fwd->tfw", self.texts, windows)
        primary = similarity[:, :, NEAR].max(axis=2).argmax(axis=1)
        cosines = np.einsum("td,fwd->tfw", self.means, windows)
        return primary, similarity.max(axis=1), cosines[np.arange(N_CLASSES), primary]


def choose(scenes: Scenes, folder: Path, out: Path, n: int, *, seed: int = 0, processes: int = 2) -> None:
    """Choose for ``n`` segments at random, none of those that are for looking only; nothing when ``out`` is there."""
    if out.exists():
        return
    picked = np.random.default_rng(seed).permutation(len(scenes.sequences) * 19 // 20)[:n]
    found: list[tuple[Any, ...]] = []
    with ProcessPoolExecutor(processes, get_context("spawn"), _start, (scenes.folder, folder)) as pool:
        for each in pool.map(_choose, scenes.sequences[picked].tolist(), chunksize=8):
            found.append(each)
            if len(found) % 200 == 0:
                print(f"{len(found)} segments", flush=True)
    columns = dict(zip(("primary", "similarity", "cosines"), map(np.stack, zip(*found, strict=True)), strict=True))
    np.savez(out, picked=picked, **columns)


_process: list[Any] = []
"""The scenes and the CLIP of a process that chooses."""


def _start(scenes: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _process.extend((Scenes(scenes), Chooser(folder)))


def _choose(sequence: list[int]) -> tuple[Any, ...]:
    scenes, chooser = _process
    return chooser.choose([scenes.frame(number) for number in sequence])


class Chosen:
    """Segments with what was chosen for each class; gives examples of what the method would show."""

    def __init__(self, scenes: Scenes, path: Path, part: slice) -> None:
        held = np.load(path)
        self.scenes = scenes
        self.picked, self.primary, self.similarity, self.cosines = (
            held[name][part] for name in ("picked", "primary", "similarity", "cosines")
        )
        self.there = [
            np.unique([e for f in scenes.sequences[k] for e in np.flatnonzero(scenes.labels(int(f)))])
            for k in self.picked
        ]
        """Which classes go on in each segment."""

    def key(self, k: int, c: int, rng: np.random.Generator) -> Example:
        """The frame nearest the words for class ``c``."""
        return mirror(key(self.scenes, self._primary(k, c)), rng)

    def position(self, k: int, c: int, rng: np.random.Generator) -> Example:
        """The same frame, darker where it resembles them less."""
        return mirror(position(self.scenes, self._primary(k, c), attention(self.cosines[k, c])), rng)

    def grid(self, k: int, c: int, rng: np.random.Generator) -> Example:
        """One of the windows nearest the words over the four frames, each of them as often."""
        order = (BOXES[at] for at in np.argsort(-self.similarity[k, c], kind="stable"))
        x0, y0, x1, _ = list(without_nested(((x, y, x + z, y + z) for x, y, z in order), N_WINDOWS))[
            int(rng.integers(N_WINDOWS))
        ]
        window = grid(self.scenes, self.scenes.sequences[self.picked[k]], (x0, y0, x1 - x0))
        return mirror(window, rng, tiles=True)

    def pairs(self, rng: np.random.Generator) -> Iterator[Pair]:
        """Yield key frames; and grids, mostly of actions, and position contexts, mostly of things: half of them there.

        Of the things that are there half are small, which in segments at random are few.
        """
        having = [[k for k, there in enumerate(self.there) if c in there] for c in range(N_CLASSES)]
        small = [[k for k in those if self._height(k, c) <= SMALL_HEIGHT] for c, those in enumerate(having)]

        def some(things: float) -> tuple[int, int]:
            c = int(rng.choice(GROUPS[0 if rng.random() < things else 1]))
            draw = rng.random()
            pool = small[c] if c in GROUPS[0] and draw < 0.25 else having[c] if draw < 0.55 else []
            return int(rng.choice(pool or range(len(self.picked)))), c

        while True:
            keys = [self.key(*some(0.5), rng) for _ in range(8)]
            grids = [self.grid(*some(0.2), rng) for _ in range(32)]
            yield keys, grids + [self.position(*some(0.75), rng) for _ in range(18)]

    def _height(self, k: int, c: int) -> int:
        """Return how high the class ``c`` is in a segment at most, in pixels of 240."""
        boxes = np.concatenate([self.scenes.seen(int(number)) for number in self.scenes.sequences[self.picked[k]]])
        own = boxes[boxes[:, 5] == c]
        return int((own[:, 3] - own[:, 1]).max())

    def _primary(self, k: int, c: int) -> int:
        return int(self.scenes.sequences[self.picked[k]][self.primary[k, c]])


def attention(cosines: Floats) -> Floats:
    """Return how bright the windows' cosines (38,) make the position context: (SHOWN, SHOWN)."""
    maps, done = [], 0
    for n in (5, 3, 2):
        maps.append(
            cv2.resize(cosines[done : done + n * n].reshape(n, n), (SHOWN, SHOWN), interpolation=cv2.INTER_LINEAR)
        )
        done += n * n
    return attention_mask(np.mean(maps, axis=0), MIN_BRIGHTNESS)


def asked(
    scenes: Scenes, path: Path, part: slice, rng: np.random.Generator, n_keys: int, n_squares: int, boost: float
) -> Iterator[tuple[Batch, Batch]]:
    """Yield questions about chosen contexts. With the chance ``boost`` a question is of something that is there.

    With a boost of 0.25 about twice as many answers are yes as in the data set; their weight is half.
    """
    held, hint = Chosen(scenes, path, part), tokens.hint()

    def text_of(k: int) -> int:
        there = held.there[k]
        if len(there) and rng.random() < boost:
            return int(rng.choice(there))
        group = GROUPS[int(there[0]) // 6] if len(there) else GROUPS[int(rng.integers(2))]
        return int(rng.choice(group))

    while True:
        keys, squares, key_texts, square_texts = [], [], [], []
        for k in rng.integers(len(held.picked), size=n_keys).tolist():
            key_texts.append(text_of(k))
            keys.append((held.key(k, key_texts[-1], rng), ""))
        for at, k in enumerate(rng.integers(len(held.picked), size=n_squares).tolist()):
            square_texts.append(c := text_of(k))
            squares.append((held.grid(k, c, rng), hint) if at % 3 else (held.position(k, c, rng), ""))
        yield _about(keys, key_texts, rng), _about(squares, square_texts, rng)


def _about(examples: Any, classes: list[int], rng: np.random.Generator) -> Batch:
    batch = ask(examples, rng, n_texts=0)
    for number, ((example, hint), c) in enumerate(zip(examples, classes, strict=True)):
        if rng.random() < 0.04:
            batch.questions.append(question("", number, 0.0, hint, rng))
        else:
            asked = question(NAMES[c], number, float(example.y[c]), hint, rng)
            asked.weight = 0.5 if asked.y > 0 else 1.0
            batch.questions.append(asked)
    return batch


if __name__ == "__main__":
    import sys

    choose(Scenes(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
