"""The contexts that the method makes of training segments: the trained CLIP selects key frames and windows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tiny_tokenizer
import torch
from anyanomaly_demo.measure import SMALL_HEIGHT
from anyanomaly_demo.search_settings import CONTEXTS, SELECTOR
from clip import SIZE, build_clip
from draw_scenes import CLASS_NAMES
from examples import CONTEXT_SIDE, SIDE, Example, Scenes, grid_example, key_example, position_example
from questions import Batch, make_batch, make_question
from token_targets import N_CLASSES, Floats
from torch.nn import functional
from vision_tower import Pair, mirror

from anyanomaly.builtin.windows import wording
from anyanomaly.core.grid import attention_mask, without_nested

BOXES = [
    (x, y, size)
    for size in (48, 80, 120)
    for y in range(0, SIDE - size + 1, size)
    for x in range(0, SIDE - size + 1, size)
]
"""The windows of a frame: x, y and size in pixels of 240 x 240."""
MIN_BRIGHTNESS = float(CONTEXTS["position"]["min_brightness"])
N_WINDOWS = int(CONTEXTS["temporal"]["windows"])
SELECTOR_WINDOWS = [size in SELECTOR["windows"] for _, _, size in BOXES]
"""Which windows the key frame selector compares."""
CLASS_GROUPS = (range(6), range(6, 12))  # appearance, action: the texts of one run


class ClipSelector:
    """The trained CLIP, used as the plugin openclip uses it."""

    def __init__(self, folder: Path) -> None:
        import open_clip
        from safetensors.torch import load_file

        self.model = build_clip()
        state = load_file(folder / "open_clip_model.safetensors")
        self.model.load_state_dict(
            {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        )
        self.model.eval().to(memory_format=torch.channels_last)
        tokenize = open_clip.SimpleTokenizer(context_length=32)
        templates = wording()["window_templates"]
        with torch.inference_mode():
            self.texts = functional.normalize(self.model.encode_text(tokenize(list(CLASS_NAMES))), dim=-1).numpy()
            means = [
                self.model.encode_text(tokenize([template.replace("{}", name) for template in templates])).mean(0)
                for name in CLASS_NAMES
            ]
            self.template_means = functional.normalize(torch.stack(means), dim=-1).numpy()

    @torch.inference_mode()
    def select(self, frames: list[Any]) -> tuple[Any, Any, Any]:
        """Return, per class, what the method selects in the four ``frames`` of a segment.

        :returns: index of the key frame (12,), highest similarity of each window over the frames (12, 38), and cosines
            of the key frame's windows for the position context (12, 38).
        """
        squares = [cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for frame in frames]
        crops = [
            cv2.resize(square[y : y + size, x : x + size], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
            for square in squares
            for x, y, size in BOXES
        ]
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
        vectors = functional.normalize(self.model.encode_image(pixels), dim=-1).numpy()
        windows = vectors.reshape(len(frames), len(BOXES), -1)
        similarity = np.einsum("td,fwd->tfw", self.texts, windows)
        key_index = similarity[:, :, SELECTOR_WINDOWS].max(axis=2).argmax(axis=1)
        cosines = np.einsum("td,fwd->tfw", self.template_means, windows)
        return key_index, similarity.max(axis=1), cosines[np.arange(N_CLASSES), key_index]


def select_contexts(scenes: Scenes, clip: Path, out: Path, n: int, *, seed: int = 0, processes: int = 2) -> None:
    """Select contexts in ``n`` random training segments and write them to ``out``; do nothing if ``out`` exists.

    :param clip: folder of the trained CLIP.
    """
    if out.exists():
        return
    segments = np.random.default_rng(seed).permutation(len(scenes.sequences) * 19 // 20)[:n]
    selections: list[tuple[Any, ...]] = []
    with ProcessPoolExecutor(processes, get_context("spawn"), _start_process, (scenes.folder, clip)) as pool:
        for selection in pool.map(_select, scenes.sequences[segments].tolist(), chunksize=8):
            selections.append(selection)
            if len(selections) % 200 == 0:
                print(f"{len(selections)} segments", flush=True)
    columns = map(np.stack, zip(*selections, strict=True))
    np.savez(out, segments=segments, **dict(zip(("key_index", "similarity", "cosines"), columns, strict=True)))


_process_state: list[Any] = []
"""The scenes and the CLIP of a worker process."""


def _start_process(scenes: Path, clip: Path) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _process_state.extend((Scenes(scenes), ClipSelector(clip)))


def _select(sequence: list[int]) -> tuple[Any, ...]:
    scenes, selector = _process_state
    return selector.select([scenes.frame(number) for number in sequence])


class SelectedContexts:
    """Reads a slice of the file of ``select_contexts`` and makes the images that the method would ask about."""

    def __init__(self, scenes: Scenes, path: Path, part: slice) -> None:
        data = np.load(path)
        self.scenes = scenes
        self.segments, self.key_index, self.similarity, self.cosines = (
            data[name][part] for name in ("segments", "key_index", "similarity", "cosines")
        )
        self.classes = [
            np.unique([event for frame in sequence for event in np.flatnonzero(scenes.labels(int(frame)))])
            for sequence in scenes.sequences[self.segments]
        ]
        """The classes that are visible in each segment."""

    def key(self, segment: int, class_number: int, rng: np.random.Generator) -> Example:
        """Return the key frame of a segment for a class."""
        return mirror(key_example(self.scenes, self._key_frame(segment, class_number)), rng)

    def position(self, segment: int, class_number: int, rng: np.random.Generator) -> Example:
        """Return the position context of a segment for a class."""
        return mirror(
            position_example(
                self.scenes, self._key_frame(segment, class_number), attention(self.cosines[segment, class_number])
            ),
            rng,
        )

    def grid(self, segment: int, class_number: int, rng: np.random.Generator) -> Example:
        """Return a grid of a segment for a class, of one of the windows that the temporal context selects."""
        order = (BOXES[index] for index in np.argsort(-self.similarity[segment, class_number], kind="stable"))
        windows = list(without_nested(((x, y, x + size, y + size) for x, y, size in order), N_WINDOWS))
        x0, y0, x1, _ = windows[int(rng.integers(N_WINDOWS))]
        example = grid_example(self.scenes, self.scenes.sequences[self.segments[segment]], (x0, y0, x1 - x0))
        return mirror(example, rng, tiles=True)

    def pairs(self, rng: np.random.Generator) -> Iterator[Pair]:
        """Yield key frames, and squares: grids, mostly of actions, and position contexts, mostly of things.

        The class is visible in about half of the examples. Half of the visible things are small, which are rare in
        random segments.
        """
        with_class = [
            [segment for segment, classes in enumerate(self.classes) if number in classes]
            for number in range(N_CLASSES)
        ]
        with_small = [
            [segment for segment in segments if self._height(segment, number) <= SMALL_HEIGHT]
            for number, segments in enumerate(with_class)
        ]

        def sample(things: float) -> tuple[int, int]:
            """Sample a segment and a class; a thing with probability ``things``, else an action."""
            number = int(rng.choice(CLASS_GROUPS[0 if rng.random() < things else 1]))
            kind = rng.random()
            small = number in CLASS_GROUPS[0] and kind < 0.25
            pool = with_small[number] if small else with_class[number] if kind < 0.55 else []
            return int(rng.choice(pool or range(len(self.segments)))), number

        while True:
            keys = [self.key(*sample(0.5), rng) for _ in range(8)]
            grids = [self.grid(*sample(0.2), rng) for _ in range(32)]
            yield keys, grids + [self.position(*sample(0.75), rng) for _ in range(18)]

    def _height(self, segment: int, class_number: int) -> int:
        """Return the largest height of a class in a segment, in pixels of 240."""
        frames = self.scenes.sequences[self.segments[segment]]
        boxes = np.concatenate([self.scenes.visible_boxes(int(number)) for number in frames])
        class_boxes = boxes[boxes[:, 5] == class_number]
        return int((class_boxes[:, 3] - class_boxes[:, 1]).max())

    def _key_frame(self, segment: int, class_number: int) -> int:
        return int(self.scenes.sequences[self.segments[segment]][self.key_index[segment, class_number]])


def attention(cosines: Floats) -> Floats:
    """Return the attention map (224, 224) of a position context from the cosines of its windows (38,)."""
    maps, start = [], 0
    for n in (5, 3, 2):
        coarse = cosines[start : start + n * n].reshape(n, n)
        maps.append(cv2.resize(coarse, (CONTEXT_SIDE, CONTEXT_SIDE), interpolation=cv2.INTER_LINEAR))
        start += n * n
    return attention_mask(np.mean(maps, axis=0), MIN_BRIGHTNESS)


def sample_questions(
    scenes: Scenes, path: Path, part: slice, rng: np.random.Generator, n_keys: int, n_squares: int, boost: float
) -> Iterator[tuple[Batch, Batch]]:
    """Yield batches about selected contexts: of key frames and of squares.

    :param part: slice of the segments in the file ``path``.
    :param boost: probability that a question is about a visible class. With 0.25, positive answers are about twice as
        frequent as in the dataset; their weight in the loss is half.
    """
    contexts, hint = SelectedContexts(scenes, path, part), tiny_tokenizer.read_hint()

    def sample_class(segment: int) -> int:
        classes = contexts.classes[segment]
        if len(classes) and rng.random() < boost:
            return int(rng.choice(classes))
        group = CLASS_GROUPS[int(classes[0]) // 6] if len(classes) else CLASS_GROUPS[int(rng.integers(2))]
        return int(rng.choice(group))

    while True:
        keys, squares, key_classes, square_classes = [], [], [], []
        for segment in rng.integers(len(contexts.segments), size=n_keys).tolist():
            key_classes.append(sample_class(segment))
            keys.append((contexts.key(segment, key_classes[-1], rng), ""))
        for index, segment in enumerate(rng.integers(len(contexts.segments), size=n_squares).tolist()):
            number = sample_class(segment)
            square_classes.append(number)
            if index % 3:
                squares.append((contexts.grid(segment, number, rng), hint))
            else:
                squares.append((contexts.position(segment, number, rng), ""))
        yield _make_batch(keys, key_classes, rng), _make_batch(squares, square_classes, rng)


def _make_batch(examples: Any, classes: list[int], rng: np.random.Generator) -> Batch:
    batch = make_batch(examples, rng, n_texts=0)
    for index, ((example, hint), number) in enumerate(zip(examples, classes, strict=True)):
        if rng.random() < 0.04:
            batch.questions.append(make_question("", index, 0.0, hint, rng))
        else:
            question = make_question(CLASS_NAMES[number], index, float(example.labels[number]), hint, rng)
            question.weight = 0.5 if question.label > 0 else 1.0
            batch.questions.append(question)
    return batch
