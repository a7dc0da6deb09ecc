"""Encoders on open_clip's towers: crops and texts to unit vectors, many per forward pass."""

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
from anyanomaly.kit import first_line
from anyanomaly.types import Box, Crop, FloatArray, Frame, ImageArray
from anyanomaly_openclip.coverage import tile_boxes
from anyanomaly_openclip.dense import DenseTower, encode_windows, find_dense_tower
from anyanomaly_openclip.images import speed_up
from anyanomaly_openclip.loading import LoadedModel, load_model
from anyanomaly_openclip.options import OpenClipOptions, TowerOptions
from anyanomaly_openclip.texts import encode_texts

T_co = TypeVar("T_co", bound=TowerOptions, covariant=True)


class TowerEncoder(Encoder[T_co]):
    """Base of encoders whose model in memory is one of open_clip.

    Crops with the fit ``centre`` go through the model's own preprocessing on the CPU, because only Pillow's bicubic
    resize gives the published pixels. Crops with the fit ``stretch`` are cut out and resized on the device, all crops
    of one size together. Crops with the fit ``dense`` come from the tokens of their frame's tiles, which are such
    crops.
    """

    name: ClassVar[str]
    _loaded: LoadedModel | None = None
    _dense: DenseTower | None = None
    _is_dense_known = False
    _fingerprint = ""

    @abstractmethod
    def load_model(self) -> LoadedModel:
        """Return the model that the options name, on the CPU in float32.

        :raises UsageError: for a name or file that is no model.
        :raises MissingRequirement: when the weights are not on this machine and cannot be downloaded.
        """

    def variant(self) -> str:
        """Return the options that change the vectors and that the weights do not show, for the fingerprint."""
        return ""

    def load(self) -> None:
        """Load the weights and move them to the device.

        :raises UsageError: for a name or file that is no model, or a device that cannot be used.
        :raises MissingRequirement: when the weights are not on this machine and cannot be downloaded.
        :raises BackendError: when the device runs out of memory.
        """
        loaded = self.load_model()
        self._device = _resolve_device(self.options.device)
        self._dtype: torch.dtype = getattr(torch, self.options.dtype)
        preprocess_cfg = getattr(loaded.model.visual, "preprocess_cfg", "")  # a folder may set another preprocessing
        self.revision = self._fingerprint = _weights_digest(loaded.model, f"{self.variant()} {preprocess_cfg}")
        speed_up(loaded.model)
        self.batch_size = self.options.batch_size or (16 if self._device.type == "cpu" else 512)
        with _explain_torch_errors(self.options):
            model = loaded.model.to(self._device, self._dtype)
        self._loaded, self._is_dense_known = loaded._replace(model=model), False
        image_size = model.visual.image_size
        self._input_size = image_size if isinstance(image_size, tuple) else (image_size, image_size)
        self.image_size = max(self._input_size)
        self._dim = int(self._text_vectors([""]).shape[1])

    def close(self) -> None:
        """Free the model."""
        self._loaded = None

    @property
    def fingerprint(self) -> str:
        """Encoder, digest of weights and preprocessing, precision, whether windows are normalised, number of tiles."""
        windows = "normalized" if self.options.normalize_windows else "plain"
        n_tiles, default = self.options.dense_tiles, type(self.options).model_fields["dense_tiles"].default
        tiles = "" if n_tiles == default else f"/{n_tiles}-tiles"
        return f"{self.name}/{self._fingerprint}/{self.options.dtype}/{windows}{tiles}"

    @property
    def dense_windows(self) -> bool:  # type: ignore[override]  # it depends on the model
        """Whether the loaded model's image tower has dense windows; before ``load``, whether any may have them."""
        return self._loaded is None or self._dense_tower() is not None

    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        """Return unit vectors (n, dim), float32, of n crops from any frames, ``batch_size`` per forward pass.

        :raises BackendError: before ``load``, when the device runs out of memory, or for crops with the fit ``dense``
            when the image tower has no dense windows.
        """
        self._check_loaded()
        vectors = np.zeros((len(crops), self._dim), dtype=np.float32)
        if dense := [index for index, crop in enumerate(crops) if crop.fit == "dense"]:
            with _explain_torch_errors(self.options), torch.inference_mode():
                self._encode_dense(crops, dense, vectors)

        def batch_key(index: int) -> tuple[str, tuple[int, int], int]:
            """Sort crops of equal fit, size and frame together, so that few operations cut and resize them."""
            return crops[index].fit, _size(crops[index]), id(crops[index].frame.image)

        order = sorted((index for index, crop in enumerate(crops) if crop.fit != "dense"), key=batch_key)
        with _explain_torch_errors(self.options), torch.inference_mode():
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                inputs = torch.cat(list(self._model_inputs([crops[index] for index in batch])))
                encoded = self._model.encode_image(inputs.to(self._dtype)).float()
                vectors[batch] = torch.nn.functional.normalize(encoded, dim=-1).cpu().numpy()
        return vectors

    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        """Return vectors (n, dim), float32, of n texts. Longer texts are truncated to the context length.

        :param unit: False: vectors of the length that the model gives them.
        :raises BackendError: before ``load``, or when the device runs out of memory.
        """
        self._check_loaded()
        if not texts:
            return np.zeros((0, self._dim), dtype=np.float32)
        with _explain_torch_errors(self.options):
            vectors = self._text_vectors(texts)
            if unit:
                vectors = torch.nn.functional.normalize(vectors, dim=-1)
        return vectors.cpu().numpy()

    @property
    def _model(self) -> Any:
        assert self._loaded is not None
        return self._loaded.model

    def _dense_tower(self) -> DenseTower | None:
        """Return the dense tower of the loaded model, None: it has none."""
        if not self._is_dense_known:
            self._dense, self._is_dense_known = find_dense_tower(self._model), True
        return self._dense

    def _encode_dense(self, crops: Sequence[Crop], numbers: Sequence[int], vectors: FloatArray) -> None:
        """Write the vectors of the crops of ``numbers``, which have the fit ``dense``, into their rows of ``vectors``.

        Frames of one size with the same windows share a pass.

        :raises BackendError: when the image tower has no dense windows.
        """
        tower = self._dense_tower()
        if tower is None:
            raise BackendError(
                f"The image tower of {self.options.model or self.name} has no dense windows. "
                "Use exact ones: remove 'dense' from --context.position.encoding and the like."
            )
        windows: dict[int, list[int]] = {}  # numbers of crops by frame
        for number in numbers:
            windows.setdefault(id(crops[number].frame.image), []).append(number)
        groups: dict[tuple[tuple[int, int], tuple[Box, ...]], list[list[int]]] = {}
        for rows in windows.values():
            size = crops[rows[0]].frame.image.shape[:2]
            boxes = tuple(crops[row].box or (0, 0, size[1], size[0]) for row in rows)
            groups.setdefault((size, boxes), []).append(rows)
        for (size, boxes), frame_rows in groups.items():
            n_tiles = min(self.options.dense_tiles, *size)
            n_frames = max(1, self.batch_size // n_tiles**2)
            tiles = tile_boxes(size, n_tiles)
            for start in range(0, len(frame_rows), n_frames):
                batch = frame_rows[start : start + n_frames]
                frames: list[Frame] = [crops[rows[0]].frame for rows in batch]
                tile_crops = [Crop(frame, tile, "stretch") for frame in frames for tile in tiles]
                inputs = torch.cat(list(self._model_inputs(tile_crops))).to(self._dtype)
                encoded = encode_windows(tower, inputs, boxes, size, n_tiles)
                vectors[np.concatenate(batch)] = encoded.flatten(0, 1).cpu().numpy()

    def _check_loaded(self) -> None:
        if self._loaded is None:
            raise BackendError(f"Encoder '{self.name}' is not loaded. Call load() first, or use it in a with block.")

    @torch.inference_mode()
    def _text_vectors(self, texts: Sequence[str]) -> torch.Tensor:
        """Return vectors (n, dim), float32, of the length that the model gives them."""
        assert self._loaded is not None
        tokens = self._loaded.tokenize(list(texts))
        starts = range(0, len(tokens), self.batch_size)
        batches = [tokens[start : start + self.batch_size].to(self._device) for start in starts]
        return torch.cat([encode_texts(self._model, batch).float() for batch in batches])

    def _model_inputs(self, crops: Sequence[Crop]) -> Iterator[torch.Tensor]:
        """Yield inputs (n, 3, height, width), in order, for consecutive crops of equal fit and size."""
        assert self._loaded is not None
        start = 0
        while start < len(crops):
            first = crops[start]
            if first.fit == "centre":
                yield self._loaded.preprocess(Image.fromarray(_crop_pixels(first)))[None].to(self._device)
                start += 1
                continue
            stop = start
            while stop < len(crops) and (crops[stop].fit, _size(crops[stop])) == (first.fit, _size(first)):
                stop += 1
            yield self._resize_crops(crops[start:stop])
            start = stop

    def _resize_crops(self, crops: Sequence[Crop]) -> torch.Tensor:
        """Return inputs (n, 3, height, width): n crops of one size, cut from their frames and resized together."""
        frames: dict[int, torch.Tensor] = {}
        crop_pixels = []
        for crop in crops:
            image = crop.frame.image
            if id(image) not in frames:
                pixels = torch.from_numpy(image.copy() if not image.flags.writeable else image).to(self._device)
                frames[id(image)] = pixels.permute(2, 0, 1).float() / 255
            height, width, _ = image.shape
            x0, y0, x1, y1 = crop.box or (0, 0, width, height)
            crop_pixels.append(frames[id(image)][:, y0:y1, x0:x1])
        inputs = torch.nn.functional.interpolate(torch.stack(crop_pixels), size=self._input_size, mode="bilinear")
        if self.options.normalize_windows:
            assert self._loaded is not None
            mean = torch.tensor(self._loaded.mean, device=self._device)[:, None, None]
            std = torch.tensor(self._loaded.std, device=self._device)[:, None, None]
            inputs = (inputs - mean) / std
        return inputs


class OpenClipEncoder(TowerEncoder[OpenClipOptions]):
    """Any open_clip model: by name and tag, hub id, folder or file."""

    name = "openclip"

    def load_model(self) -> LoadedModel:
        """Return the model that the options name, on the CPU in float32.

        :raises UsageError: for a name, folder or file that is no model.
        :raises MissingRequirement: when the weights are not on this machine and cannot be downloaded.
        """
        return load_model(self.options)

    def variant(self) -> str:
        """Return the number of heads of the text tower, which the shapes of the weights do not show."""
        return str(self.options.text_heads)


@contextmanager
def _explain_torch_errors(options: TowerOptions) -> Iterator[None]:
    """Turn exceptions of torch while the encoder loads or runs into one-line errors.

    :raises BackendError: in place of them.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise BackendError(
            "The encoder ran out of memory. Lower --encoder.batch-size, or use --encoder.dtype bfloat16."
        ) from error
    except (RuntimeError, ValueError) as error:
        raise BackendError(f"The encoder {options.model} failed: {first_line(error)}") from error


def _size(crop: Crop) -> tuple[int, int]:
    """Return height and width of a crop in pixels of its frame."""
    height, width, _ = crop.frame.image.shape
    x0, y0, x1, y1 = crop.box or (0, 0, width, height)
    return y1 - y0, x1 - x0


def _crop_pixels(crop: Crop) -> ImageArray:
    if crop.box is None:
        return crop.frame.image
    x0, y0, x1, y1 = crop.box
    return crop.frame.image[y0:y1, x0:x1]


def _resolve_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0].partition(". ")[0].rstrip(".")  # torch adds a list of all backends
        raise UsageError(f"Device '{name}' cannot be used: {reason}. Use --encoder.device auto or cpu.") from error


def _weights_digest(model: torch.nn.Module, settings: str) -> str:
    """Return a digest of ``settings`` and of names, shapes and about 4,000 values of each weight.

    A sample of the values is enough to tell models apart, without hashing gigabytes.
    """
    digest = hashlib.sha256(settings.encode())
    for name, weight in sorted(model.state_dict().items()):
        flat = weight.detach().flatten()
        sample = flat[:: max(1, flat.numel() // 4096)].float().numpy()
        digest.update(f"{name}{tuple(weight.shape)}".encode() + sample.tobytes())
    return digest.hexdigest()[:16]
