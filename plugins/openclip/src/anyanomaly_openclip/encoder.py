"""The encoder: crops and texts to unit vectors, many per forward pass."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from PIL import Image

from anyanomaly.api import Encoder
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.types import Crop, FloatArray, ImageArray
from anyanomaly_openclip.images import shorten
from anyanomaly_openclip.loading import Loaded, load_model
from anyanomaly_openclip.options import OpenClipOptions, TowerOptions
from anyanomaly_openclip.texts import encode_texts

T_co = TypeVar("T_co", bound=TowerOptions, covariant=True)


class TowerEncoder(Encoder[T_co]):
    """Any model that is an open_clip one in memory.

    ``centre`` crops go through the model's own preprocessing on the CPU (Pillow's bicubic resize has no equal
    elsewhere); ``stretch`` crops are cut and resized on the device, all of one size at once.
    """

    name: ClassVar[str]
    _loaded: Loaded | None = None
    _fingerprint = ""

    @abstractmethod
    def read(self) -> Loaded:
        """Return the model that the options name, on the CPU.

        :raises UsageError: for a model that is none. :raises MissingRequirement: without weights.
        """

    def kind(self) -> str:
        """Return what of the options changes the model beside its weights."""
        return ""

    def load(self) -> None:
        """Load the weights and move them to the device.

        :raises UsageError: for a model or device that is none. :raises MissingRequirement: without weights.
        """
        loaded = self.read()
        self._device = _device(self.options.device)
        self._dtype: torch.dtype = getattr(torch, self.options.dtype)
        prepared = getattr(loaded.model.visual, "preprocess_cfg", "")  # how whole frames are, where a folder says it
        self._fingerprint = _digest(loaded.model, f"{self.kind()} {prepared}")
        shorten(loaded.model)
        self.batch_size = self.options.batch_size or (16 if self._device.type == "cpu" else 512)
        with _explained(self.options):
            model = loaded.model.to(self._device, self._dtype)
        self._loaded = loaded._replace(model=model)
        image_size = model.visual.image_size
        self._side: int = image_size[0] if isinstance(image_size, tuple) else image_size
        self._dim = int(self._texts([""]).shape[1])

    def close(self) -> None:
        """Free the model."""
        self._loaded = None

    @property
    def fingerprint(self) -> str:
        """A hash of the weights, the precision, and how whole frames and windows are prepared."""
        windows = "normalized" if self.options.normalize_windows else "plain"
        return f"{self.name}/{self._fingerprint}/{self.options.dtype}/{windows}"

    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        """Return unit vectors (n, dim) of crops from any frames, ``batch_size`` per forward pass."""
        self._check_loaded()
        vectors = np.zeros((len(crops), self._dim), dtype=np.float32)
        # crops of one kind, frame and size side by side, so that each is cut and resized in few operations
        order = sorted(range(len(crops)), key=lambda at: (crops[at].fit, _size(crops[at]), id(crops[at].frame.image)))
        with _explained(self.options), torch.inference_mode():
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                inputs = torch.cat(list(self._inputs([crops[at] for at in batch])))
                encoded = self._model.encode_image(inputs.to(self._dtype)).float()
                vectors[batch] = torch.nn.functional.normalize(encoded, dim=-1).cpu().numpy()
        return vectors

    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        """Return vectors (n, dim) of texts; one that is too long for the model is cut."""
        self._check_loaded()
        if not texts:
            return np.zeros((0, self._dim), dtype=np.float32)
        with _explained(self.options):
            vectors = self._texts(texts)
            if unit:
                vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return vectors.cpu().numpy()

    @property
    def _model(self) -> Any:
        assert self._loaded is not None
        return self._loaded.model

    def _check_loaded(self) -> None:
        if self._loaded is None:
            raise BackendError(f"The encoder '{self.name}' is used before load().")

    @torch.inference_mode()
    def _texts(self, texts: Sequence[str]) -> torch.Tensor:
        assert self._loaded is not None
        tokens = self._loaded.tokenize(list(texts))
        starts = range(0, len(tokens), self.batch_size)
        parts = [tokens[at : at + self.batch_size].to(self._device) for at in starts]
        return torch.cat([encode_texts(self._model, part).float() for part in parts])

    def _inputs(self, crops: Sequence[Crop]) -> Iterator[torch.Tensor]:
        """Yield inputs (n, 3, side, side), in order, for runs of crops that are prepared alike."""
        assert self._loaded is not None
        at = 0
        while at < len(crops):
            first = crops[at]
            if first.fit == "centre":
                yield self._loaded.preprocess(Image.fromarray(_cut(first)))[None].to(self._device)
                at += 1
                continue
            stop = at
            while stop < len(crops) and _alike(crops[stop], first):
                stop += 1
            yield self._stretched(crops[at:stop])
            at = stop

    def _stretched(self, crops: Sequence[Crop]) -> torch.Tensor:
        """Cut crops of one size from their frames and resize them together."""
        frames: dict[int, torch.Tensor] = {}
        cuts = []
        for crop in crops:
            image = crop.frame.image
            if id(image) not in frames:
                pixels = torch.from_numpy(image.copy() if not image.flags.writeable else image).to(self._device)
                frames[id(image)] = pixels.permute(2, 0, 1).float() / 255
            height, width, _ = image.shape
            x0, y0, x1, y1 = crop.box or (0, 0, width, height)
            cuts.append(frames[id(image)][:, y0:y1, x0:x1])
        side = (self._side, self._side)
        inputs = torch.nn.functional.interpolate(torch.stack(cuts), size=side, mode="bilinear")
        if self.options.normalize_windows:
            assert self._loaded is not None
            mean, std = (torch.tensor(each, device=self._device)[:, None, None] for each in self._loaded[3:])
            inputs = (inputs - mean) / std
        return inputs


class OpenClipEncoder(TowerEncoder[OpenClipOptions]):
    """Any open_clip model: by name and tag, hub id, folder or file."""

    name = "openclip"

    def read(self) -> Loaded:
        """Return the model that the options name."""
        return load_model(self.options)

    def kind(self) -> str:
        """Return the heads of the text tower, which no weight tells."""
        return str(self.options.text_heads)


@contextmanager
def _explained(options: TowerOptions) -> Iterator[None]:
    """Turn what torch raises, memory above all, into one sentence."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BackendError(
            "The encoder ran out of memory. Lower --encoder.batch-size, or use --encoder.dtype bfloat16."
        ) from error
    except RuntimeError as error:
        raise BackendError(f"The encoder {options.model} failed: {str(error).strip().splitlines()[0]}") from error


def _size(crop: Crop) -> tuple[int, int]:
    height, width, _ = crop.frame.image.shape
    x0, y0, x1, y1 = crop.box or (0, 0, width, height)
    return y1 - y0, x1 - x0


def _alike(crop: Crop, other: Crop) -> bool:
    return crop.fit == other.fit and _size(crop) == _size(other)


def _cut(crop: Crop) -> ImageArray:
    if crop.box is None:
        return crop.frame.image
    x0, y0, x1, y1 = crop.box
    return crop.frame.image[y0:y1, x0:x1]


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UsageError(f"The device '{name}' cannot be used: {reason} Try --device cpu.") from error


def _digest(model: torch.nn.Module, kind: str) -> str:
    """Hash names, shapes and some 4,000 values of each weight: tells models apart without reading gigabytes."""
    digest = hashlib.sha256(kind.encode())
    for name, weight in sorted(model.state_dict().items()):
        flat = weight.detach().flatten()
        sample = flat[:: max(1, flat.numel() // 4096)].float().numpy()
        digest.update(f"{name}{tuple(weight.shape)}".encode() + sample.tobytes())
    return digest.hexdigest()[:16]
