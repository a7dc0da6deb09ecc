"""Label files in every format, as they should be, and hostile ones."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
from typing import Any

import h5py
import numpy as np

from tests.campaign.hostile import hostile_text
from tests.campaign.stage import Stage

FPS = 8
LABEL_FORMS = ("spans in frames", "spans in seconds", "npy", "h5", "json list", "json spans", "csv column", "csv spans")


def _spans_of(labels: np.ndarray) -> list[tuple[int, int]]:
    """Return the runs of true labels as (start, stop), in frames."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], labels.astype(int), [0]))))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def write_labels(stage: Stage, name: str, labels: np.ndarray, form: str) -> dict[str, Any]:
    """Write the labels of video ``name`` in a form, and return the columns of its row but the first two."""
    rng = stage.random
    spans = _spans_of(labels)
    file = f"l-{name}-{rng.randrange(10**9)}"
    match form:
        case "spans in frames":
            return {"labels": [list(span) for span in spans] or "none", "unit": "frames"}
        case "spans in seconds":
            return {"labels": [[start / FPS, stop / FPS] for start, stop in spans] or "none", "unit": "seconds"}
        case "npy":
            path = stage.work / f"{file}.npy"
            np.save(
                path,
                labels.astype(rng.choice(("bool", "uint8", "int64", "float32"))).reshape(
                    rng.choice(((-1,), (1, -1), (-1, 1)))
                ),
            )
        case "h5":
            path = stage.work / f"{file}.h5"
            with h5py.File(path, "w") as target:
                target[name] = labels.astype("uint8")
                target["other"] = np.zeros(5)
        case "json list":
            path = stage.write(f"{file}.json", json.dumps({name: labels.astype(int).tolist(), "other": [0]}))
        case "json spans":
            unit, factor = rng.choice((("frames", 1), ("seconds", FPS)))
            value = {"spans": [[start / factor, stop / factor] for start, stop in spans], "unit": unit}
            path = stage.write(f"{file}.json", json.dumps({name: value}))
        case "csv column":
            head = rng.choice(("", "label\n"))
            path = stage.write(f"{file}.csv", head + "\n".join(map(str, labels.astype(int))) + rng.choice(("", "\n")))
        case "csv spans":
            columns, factor = rng.choice((("start,stop", 1), ("start_s,stop_s", FPS)))
            rows = "".join(
                f"{start / factor:g},{stop / factor:g}{rng.choice((chr(10), chr(13) + chr(10)))}"
                for start, stop in spans
            )
            path = stage.write(f"{file}.csv", f"{columns}\n{rows}")
    return {"labels": path.name}


class _Canary:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch canary",)


def _npy(shape: str, description: str = "|u1", size: int = 10) -> bytes:
    head = f"{{'descr': '{description}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + bytes(size)


def hostile_label_file(rng: random.Random) -> tuple[str, bytes]:
    """Return the suffix and the content of a label file that runs code, never ends or lies about its size."""
    return rng.choice(
        (
            (".npy", pickle.dumps(_Canary())),
            (".npy", _npy("(1,)", "|O") + pickle.dumps(_Canary())),
            (".npy", _npy(f"({10**12},)")),
            (".npy", _npy("(-1,)")),
            (".npy", _npy("(2**99,)")),
            (".npy", _npy("(10,)", "|V1000000000")),
            (".npy", _npy("__import__('os').system('touch canary')")),
            (".npy", _npy("(" * 300)),
            (".npy", b"\x93NUMPY\x03\x00" + struct.pack("<I", 2**32 - 1)),
            (".json", b"[" * 100_000),
            (".json", b'{"v0.clip": ' + b"9" * 10_000 + b"}"),
            (".json", b'{"v0.clip": [' + b"0," * 3_000_000 + b"0]}"),
            (".json", b'{"v0.clip": [[0, 1e999]], "v0.clip": [2]}'),
            (".json", b"\xff\xfe["),
            (".csv", b"0\n1\0\n"),
            (".csv", b'"' + b"0" * 5_000_000),
            (".csv", b"0," * 1_000_000),
            (".csv", hostile_text(rng).encode("utf-8", "surrogatepass")),
            (".csv", b"start,stop\n=1+1,5\n"),
            (".csv", b"1e999\n"),
            (".h5", b"\x89HDF\r\n\x1a\n" + rng.randbytes(500)),
            (".mat", b"MATLAB 5.0 MAT-file" + rng.randbytes(500)),
            (".mat", b""),
            (".h5", b""),
            (".npy", b""),
            (".json", b""),
            (".csv", b""),
        )
    )
