"""Weights that are drawn while they are written, tensor by tensor: safetensors, files of ``torch.save``, and shards.

All tensors repeat one block of normal random numbers, from different places in it. Drawing anew for each of billions of
weights would take minutes; speed and memory do not depend on it. The block's length is a prime number, so that the rows
of a matrix differ from each other.
"""

from __future__ import annotations

import json
import math
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch

BLOCK = 4_194_301  # numbers; a prime
WIDTHS = {"F32": 4, "F16": 2, "BF16": 2}  # bytes, by the names of safetensors
TORCH_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class Tensor(NamedTuple):
    """A tensor that is not drawn yet."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # a key of ``WIDTHS``

    @property
    def n_bytes(self) -> int:
        """Its size in a file."""
        return math.prod(self.shape) * WIDTHS[self.dtype]

    @property
    def fill(self) -> float | None:
        """The value of all its numbers; None: they are random."""
        if len(self.shape) > 1 or not self.name.endswith("weight"):
            return 0.0 if self.name.endswith("bias") else None
        return 1.0  # of a norm

    @property
    def deviation(self) -> float:
        """Standard deviation of its random numbers: outputs of a matrix are about as large as its inputs."""
        return 1.0 / math.sqrt(max(math.prod(self.shape[1:]), 1)) if len(self.shape) > 1 else 0.02


@cache
def normal_numbers() -> np.ndarray:
    """Return the block of random numbers, float32 (BLOCK,), of standard deviation 1."""
    return np.random.default_rng(24).standard_normal(BLOCK, dtype=np.float32)


@cache
def _block(dtype: str, deviation: float) -> memoryview:
    """Return the block of random numbers in a precision, as bytes."""
    return memoryview(as_bytes(normal_numbers() * np.float32(deviation), dtype))


def as_bytes(numbers: np.ndarray, dtype: str) -> bytes:
    """Return float32 numbers in a precision of safetensors."""
    if dtype == "F16":
        return numbers.astype(np.float16).tobytes()
    if dtype == "BF16":  # the upper half of a float32, rounded
        bits = numbers.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).tobytes()
    return numbers.tobytes()


def write_tensor(file: BinaryIO, tensor: Tensor, offset: int) -> None:
    """Write the numbers of a tensor.

    :param offset: place in the block at which they begin.
    """
    if tensor.fill is not None:
        n_numbers = math.prod(tensor.shape)
        file.write(as_bytes(np.full(n_numbers, tensor.fill, np.float32), tensor.dtype))
        return
    block = _block(tensor.dtype, round(tensor.deviation, 6))
    start = offset % BLOCK * WIDTHS[tensor.dtype]
    n_left = tensor.n_bytes
    while n_left:
        piece = block[start : start + n_left]
        file.write(piece)
        n_left, start = n_left - len(piece), 0


def write_safetensors(path: Path, tensors: Sequence[Tensor]) -> None:
    """Write a file of safetensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for tensor in tensors:
        start, end = end, end + tensor.n_bytes
        header[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for number, tensor in enumerate(tensors):
            write_tensor(file, tensor, number * 1009)


def write_pickle(path: Path, tensors: Sequence[Tensor], inside: str = "") -> None:
    """Write a file of ``torch.save``.

    :param inside: the key of a dictionary around the tensors; empty: they are not in one.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        content: dict[str, torch.Tensor] = {
            tensor.name: torch.empty(tensor.shape, dtype=getattr(torch, TORCH_NAMES[tensor.dtype]))
            for tensor in tensors
        }
        with torch.serialization.skip_data(materialize_fake_tensors=True):
            torch.save({inside: content} if inside else content, path)
    with zipfile.ZipFile(path) as archive:  # torch numbers the tensors' data in their order
        data = {info.filename.partition("/data/")[2]: info for info in archive.infolist() if "/data/" in info.filename}
    with path.open("r+b") as file:
        for number, tensor in enumerate(tensors):
            file.seek(_data_offset(file, data[str(number)], tensor))
            write_tensor(file, tensor, number * 1009)


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo, tensor: Tensor) -> int:
    """Return where in a zip file the data of an entry begins, after its header, name and padding."""
    if info.file_size != tensor.n_bytes:
        raise RuntimeError(f"{tensor.name}: torch.save reserved {info.file_size} bytes in place of {tensor.n_bytes}")
    file.seek(info.header_offset + 26)
    n_name, n_extra = struct.unpack("<HH", file.read(4))
    return info.header_offset + 30 + int(n_name) + int(n_extra)


def split_shards(tensors: Iterable[Tensor], n_bytes: int) -> Iterator[list[Tensor]]:
    """Yield the tensors of each shard, in order; a shard has at most ``n_bytes``, or one tensor."""
    shard: list[Tensor] = []
    size = 0
    for tensor in tensors:
        if shard and size + tensor.n_bytes > n_bytes:
            yield shard
            shard, size = [], 0
        shard.append(tensor)
        size += tensor.n_bytes
    yield shard


def write_shards(folder: Path, tensors: Sequence[Tensor], n_bytes: int, *, pickles: bool = False) -> None:
    """Write tensors in shards with an index, named as on the hub.

    :param n_bytes: most bytes of a shard. :param pickles: ``pytorch_model-*.bin`` in place of ``model-*.safetensors``.
    """
    stem, suffix = ("pytorch_model", "bin") if pickles else ("model", "safetensors")
    shards = list(split_shards(tensors, n_bytes))
    names = [f"{stem}-{number:05}-of-{len(shards):05}.{suffix}" for number in range(1, len(shards) + 1)]
    weight_map: dict[str, str] = {}
    for name, shard in zip(names, shards, strict=True):
        (write_pickle if pickles else write_safetensors)(folder / name, shard)
        weight_map |= {tensor.name: name for tensor in shard}
    index = {"metadata": {"total_size": sum(tensor.n_bytes for tensor in tensors)}, "weight_map": weight_map}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index, indent=1), encoding="utf-8")


def tensors_of(module: Any, dtype: str, prefix: str = "") -> list[Tensor]:
    """Return the tensors of a module on the device "meta", as its state dictionary names them; tied ones once."""
    parameters = {name: id(value) for name, value in module.named_parameters()}
    return [
        Tensor(f"{prefix}{name}", tuple(value.shape), dtype)
        for name, value in module.state_dict(keep_vars=True).items()
        if name in parameters
    ]
