"""The contexts that the method itself makes of drawn segments, with the trained CLIP choosing frames and windows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tokens
import torch
from asking import Batch, ask, question
from cells import N_CLASSES, Floats
from clip import SIZE, build
from draw import NAMES
from examples import SHOWN, SIDE, Scenes, grid, key, position
from torch.nn import functional
from tower import mirror

from anyanomaly.builtin.windows import wording
from anyanomaly.core.grid import attention_mask, softmax

BOXES = [
    (x, y, size)
    for size in (48, 80, 120)
    for y in range(0, SIDE - size + 1, size)
    for x in range(0, SIDE - size + 1, size)
]
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
        """Return per class the primary frame (12,), the window (12,) and the position windows' shares (12, 4, 38)."""
        squares = [cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for frame in frames]
        crops = [
            cv2.resize(s[y : y + z, x : x + z], (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
            for s in squares
            for x, y, z in BOXES
        ]
        whole = [cv2.resize(frame[:, 40:280], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for frame in frames]
        pixels = torch.from_numpy(np.stack(crops + whole)).permute(0, 3, 1, 2).float() / 255
        vectors = functional.normalize(self.model.encode_image(pixels), dim=-1).numpy()
        windows, frames_ = vectors[: len(crops)].reshape(len(frames), len(BOXES), -1), vectors[len(crops) :]
        primary = (self.texts @ frames_.T).argmax(axis=1)
        window = np.einsum("td,fwd->tfw", self.texts, windows).max(axis=1).argmax(axis=1)
        cosines = np.einsum("td,fwd->tfw", self.means, windows)
        shares = np.concatenate([softmax(cosines[group.start : group.stop]) for group in GROUPS])
        return primary, window, shares


def choose(scenes: Scenes, folder: Path, out: Path, n: int, *, seed: int = 0) -> None:
    """Choose for ``n`` segments at random, and write what was chosen; nothing when it is there."""
    if out.exists():
        return
    torch.set_num_threads(1)
    chooser = Chooser(folder)
    picked = np.random.default_rng(seed).permutation(len(scenes.sequences))[:n]
    primaries, windows, shares = [], [], []
    for k, number in enumerate(picked.tolist()):
        primary, window, share = chooser.choose([scenes.frame(int(f)) for f in scenes.sequences[number]])
        primaries.append(primary)
        windows.append(window)
        shares.append(share[np.arange(N_CLASSES), primary].astype(np.float32))
        if k % 200 == 199:
            print(f"{k + 1} segments", flush=True)
            np.savez(
                out.with_suffix(".part.npz"),
                picked=picked[: k + 1],
                primary=np.stack(primaries),
                window=np.stack(windows),
                share=np.stack(shares),
            )
    np.savez(out, picked=picked, primary=np.stack(primaries), window=np.stack(windows), share=np.stack(shares))


def attention(shares: Floats) -> Floats:
    """Return the map (SHOWN, SHOWN) of the windows' shares (38,)."""
    maps, done = [], 0
    for n in (5, 3, 2):
        maps.append(
            cv2.resize(shares[done : done + n * n].reshape(n, n), (SHOWN, SHOWN), interpolation=cv2.INTER_LINEAR)
        )
        done += n * n
    return attention_mask(np.mean(maps, axis=0))


def asked(
    scenes: Scenes, path: Path, part: slice, rng: np.random.Generator, n_keys: int, n_squares: int, boost: float
) -> Iterator[tuple[Batch, Batch]]:
    """Yield questions about chosen contexts. With the chance ``boost`` a question is of something that is there.

    With a boost of 0.25 about twice as many answers are yes as in the data set; their weight is half.
    """
    held = np.load(path)
    picked, primary, window, share = (held[name][part] for name in ("picked", "primary", "window", "share"))
    hint = tokens.hint()

    def text_of(k: int) -> int:
        there = np.unique([e for f in scenes.sequences[picked[k]] for e in np.flatnonzero(scenes.labels(int(f)))])
        if len(there) and rng.random() < boost:
            return int(rng.choice(there))
        group = GROUPS[int(there[0]) // 6] if len(there) else GROUPS[int(rng.integers(2))]
        return int(rng.choice(group))

    while True:
        keys, squares, key_texts, square_texts = [], [], [], []
        for k in rng.integers(len(picked), size=n_keys):
            c = text_of(k)
            keys.append((mirror(key(scenes, int(scenes.sequences[picked[k]][primary[k, c]])), rng), ""))
            key_texts.append(c)
        for at, k in enumerate(rng.integers(len(picked), size=n_squares)):
            c, sequence = text_of(k), scenes.sequences[picked[k]]
            if at % 3 == 0:
                squares.append(
                    (mirror(position(scenes, int(sequence[primary[k, c]]), attention(share[k, c])), rng), "")
                )
            else:
                squares.append((mirror(grid(scenes, sequence, BOXES[window[k, c]]), rng, tiles=True), hint))
            square_texts.append(c)
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
