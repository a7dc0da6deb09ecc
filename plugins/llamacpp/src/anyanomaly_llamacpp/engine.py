"""llama.cpp's text model and projector, loaded; its talk kept off the terminal; a flag that stops its work."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import llama_cpp
from llama_cpp import mtmd_cpp

from anyanomaly.errors import BackendError, UsageError
from anyanomaly_llamacpp.images import Sizing
from anyanomaly_llamacpp.options import GgufOptions

IMAGE = "<__anyanomaly_image__>"  # where an image stands in a question's text

_ERROR = 4  # llama.cpp's level
_heard: deque[str] = deque(maxlen=8)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _hear(level: int, text: bytes, _data: Any) -> None:
    if level == _ERROR and (line := text.decode("utf-8", "replace").strip()):
        _heard.append(line)


def reason() -> str:
    """Return what llama.cpp complained about first, and forget it all."""
    said = _heard[0].splitlines()[0] if _heard else "llama.cpp gives no reason"
    _heard.clear()
    return said.rpartition(": ")[2].strip() or said


class Stop:
    """A flag that llama.cpp looks at between two operations, also while Python waits for it.

    It asks C's ``strlen`` for the length of one byte: a callback written in Python would wait for the interpreter's
    lock hundreds of times per question, while another thread decodes video.
    """

    def __init__(self) -> None:
        self._byte = ctypes.create_string_buffer(1)
        self.data = ctypes.cast(self._byte, ctypes.c_void_p)
        self.callback = ctypes.cast(ctypes.CDLL(None).strlen, llama_cpp.ggml_abort_callback)

    def set(self, asked: bool) -> None:
        """Ask to stop, or take it back."""
        self._byte[0] = b"\x01" if asked else b"\x00"

    def __bool__(self) -> bool:
        return self._byte[0] != b"\x00"


class Native(NamedTuple):
    """Handles of what is loaded. ``free`` them once."""

    model: Any
    words: Any  # the vocabulary
    vision: Any  # the projector
    n_words: int
    n_values: int  # float32 numbers per image token
    longest: int  # tokens that the model was trained on at most
    token_bytes: int  # memory of one token in the context: keys and values in half precision
    on_gpu: bool

    def free(self) -> None:
        """Give all memory back."""
        mtmd_cpp.mtmd_free(self.vision)
        llama_cpp.llama_model_free(self.model)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of ``text``, its marks read as marks, without any of the beginning or the end."""
        raw = text.encode()
        room = (llama_cpp.llama_token * (len(raw) + 8))()
        count = llama_cpp.llama_tokenize(self.words, raw, len(raw), room, len(room), False, True)
        return list(room[:count])

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the words of ``tokens``, without marks."""
        room = ctypes.create_string_buffer(1024)
        raw = b""
        for token in tokens:
            length = llama_cpp.llama_token_to_piece(self.words, token, room, len(room), 0, False)
            raw += room.raw[: max(length, 0)]
        return raw.decode("utf-8", "replace")

    def ends(self, token: int) -> bool:
        """Return whether ``token`` ends an answer."""
        return bool(llama_cpp.llama_vocab_is_eog(self.words, token))


def load_native(model: Path, mmproj: Path, options: GgufOptions, sizing: Sizing | None, threads: int) -> Native:
    """Load both files.

    :raises UsageError: when the device is not there, or the projector belongs to another model.
    :raises BackendError: when a file is broken, or memory runs out.
    """
    for listen in (llama_cpp.llama_log_set, mtmd_cpp.mtmd_log_set, mtmd_cpp.mtmd_helper_log_set):
        listen(_hear, None)
    llama_cpp.llama_backend_init()
    _heard.clear()
    on_gpu = _on_gpu(options)
    settings = llama_cpp.llama_model_default_params()
    settings.n_gpu_layers = options.gpu_layers if on_gpu else 0
    if options.device.startswith("cuda:"):
        settings.main_gpu = int(options.device.partition(":")[2])
        settings.split_mode = llama_cpp.LLAMA_SPLIT_MODE_NONE
    handle = llama_cpp.llama_model_load_from_file(str(model).encode(), settings)
    if not handle:
        raise BackendError(f"The model {model.name!r} cannot be loaded: {reason()}.")
    vision = mtmd_cpp.mtmd_init_from_file(str(mmproj).encode(), handle, _vision_settings(on_gpu, sizing, threads))
    if not vision:
        llama_cpp.llama_model_free(handle)
        if any("mismatch" in line for line in _heard):
            raise UsageError(
                f"The projector {mmproj.name!r} does not belong to {model.name!r}: their widths differ. "
                "Give the mmproj file that comes with the model."
            )
        raise BackendError(f"The projector {mmproj.name!r} cannot be loaded: {reason()}.")
    words = llama_cpp.llama_model_get_vocab(handle)
    return Native(
        handle,
        words,
        vision,
        n_words=llama_cpp.llama_vocab_n_tokens(words),
        n_values=llama_cpp.llama_model_n_embd_inp(handle),
        longest=llama_cpp.llama_model_n_ctx_train(handle),
        token_bytes=_token_bytes(handle),
        on_gpu=on_gpu,
    )


def _token_bytes(model: Any) -> int:
    width = llama_cpp.llama_model_n_embd(model) // llama_cpp.llama_model_n_head(model)
    n_numbers = 2 * llama_cpp.llama_model_n_layer(model) * llama_cpp.llama_model_n_head_kv(model) * width
    return int(2 * n_numbers)


def _on_gpu(options: GgufOptions) -> bool:
    built = bool(llama_cpp.llama_supports_gpu_offload())
    if options.device not in {"auto", "cpu"} and not built:
        raise UsageError(
            f"Device {options.device!r} is not there: the installed llama-cpp-python is built for the CPU alone. "
            "Use --backend.device auto, or install a build for your GPU."
        )
    return built and options.device != "cpu" and options.gpu_layers != 0


def _vision_settings(on_gpu: bool, sizing: Sizing | None, threads: int) -> Any:
    settings = mtmd_cpp.mtmd_context_params_default()
    settings.use_gpu = on_gpu
    settings.print_timings = False
    settings.n_threads = threads
    settings.media_marker = IMAGE.encode()
    settings.warmup = False  # it would reserve memory for the largest image, whatever comes
    if sizing:  # images come at their size: no limit of llama.cpp's own may resize them once more
        settings.image_min_tokens = 1
        settings.image_max_tokens = 2 * max(sizing.max_pixels, sizing.min_pixels) // sizing.factor**2
    return settings
