"""llama.cpp: load its language model and projector, keep its log off the terminal, stop its work."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import llama_cpp
from llama_cpp import mtmd_cpp

from anyanomaly.errors import BackendError, UsageError
from anyanomaly.kit import thinks_in_special_tokens
from anyanomaly_llamacpp.images import IMAGE, ImageLayout
from anyanomaly_llamacpp.options import GgufOptions

_ERROR = 4  # log level of llama.cpp
_error_lines: deque[str] = deque(maxlen=8)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_error(level: int, text: bytes, _data: Any) -> None:
    if level == _ERROR and (line := text.decode("utf-8", "replace").strip()):
        _error_lines.append(line)


def take_error() -> str:
    """Return the first error that llama.cpp logged since the last call, and clear the log."""
    line = _error_lines[0].partition("\n")[0] if _error_lines else "llama.cpp gives no reason"
    _error_lines.clear()
    return line.rpartition(": ")[2].strip() or line


class StopFlag:
    """A flag that llama.cpp checks between two operations, even while Python waits for it.

    The callback is C's ``strlen`` on one byte: a callback in Python would wait for the interpreter's lock hundreds of
    times per query, while another thread decodes video.
    """

    def __init__(self) -> None:
        self._byte = ctypes.create_string_buffer(1)
        self.data = ctypes.cast(self._byte, ctypes.c_void_p)
        self.callback = ctypes.cast(ctypes.CDLL(None).strlen, llama_cpp.ggml_abort_callback)

    def set(self, stop: bool) -> None:
        """Set or clear the flag."""
        self._byte[0] = b"\x01" if stop else b"\x00"

    def __bool__(self) -> bool:
        return self._byte[0] != b"\x00"


class NativeModel(NamedTuple):
    """Handles of a loaded model. Call ``free`` once."""

    model: Any
    vocabulary: Any
    vision: Any  # the projector
    n_vocabulary: int
    embedding_size: int  # float32 numbers per image token
    max_tokens: int  # longest context that the model was trained on
    is_recurrent: bool  # some layers keep a state, which cannot be truncated, in place of keys and values
    sees_images_whole: bool  # an image's tokens see each other, so they belong in one batch
    on_gpu: bool

    def free(self) -> None:
        """Free all memory."""
        mtmd_cpp.mtmd_free(self.vision)
        llama_cpp.llama_model_free(self.model)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of ``text``: special tokens are recognised, none is added."""
        encoded = text.encode()
        buffer = (llama_cpp.llama_token * (len(encoded) + 8))()
        count = llama_cpp.llama_tokenize(self.vocabulary, encoded, len(encoded), buffer, len(buffer), False, True)
        return list(buffer[:count])

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of ``tokens``, without special tokens unless thoughts stand between them."""
        special_tokens = [token for token in tokens if self._is_special(token)]
        keep_special = thinks_in_special_tokens(self._pieces([token], True) for token in special_tokens)
        return self._pieces(tokens, keep_special)

    def _is_special(self, token: int) -> bool:
        return bool(llama_cpp.llama_vocab_is_control(self.vocabulary, token))

    def _pieces(self, tokens: Sequence[int], keep_special: bool) -> str:
        buffer = ctypes.create_string_buffer(1024)
        encoded = b""
        for token in tokens:
            length = llama_cpp.llama_token_to_piece(self.vocabulary, token, buffer, len(buffer), 0, keep_special)
            encoded += buffer.raw[: max(length, 0)]
        return encoded.decode("utf-8", "replace")

    def is_end(self, token: int) -> bool:
        """Return whether ``token`` ends an answer."""
        return bool(llama_cpp.llama_vocab_is_eog(self.vocabulary, token))


def load_native_model(
    model: Path, mmproj: Path, options: GgufOptions, layout: ImageLayout | None, threads: int
) -> NativeModel:
    """Load a model and its projector.

    :raises UsageError: when the device is missing, or the projector belongs to another model.
    :raises BackendError: when a file is damaged, or memory runs out.
    """
    for set_log in (llama_cpp.llama_log_set, mtmd_cpp.mtmd_log_set, mtmd_cpp.mtmd_helper_log_set):
        set_log(_keep_error, None)
    llama_cpp.llama_backend_init()
    _error_lines.clear()
    on_gpu = _uses_gpu(options)
    settings = llama_cpp.llama_model_default_params()
    settings.n_gpu_layers = options.gpu_layers if on_gpu else 0
    if not on_gpu and hasattr(llama_cpp, "LLAMA_LOAD_MODE_NONE"):
        # Read, not mapped: the CPU's kernels need most weights in another order, so that the mapped pages would take
        # their size in memory beside the copies.
        settings.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE
    if options.device.startswith("cuda:"):
        settings.main_gpu = int(options.device.partition(":")[2])
        settings.split_mode = llama_cpp.LLAMA_SPLIT_MODE_NONE
    handle = llama_cpp.llama_model_load_from_file(os.fsencode(model), settings)
    if not handle:
        raise BackendError(f"The model {model.name!r} cannot be loaded: {take_error()}.")
    vision = mtmd_cpp.mtmd_init_from_file(os.fsencode(mmproj), handle, _vision_settings(on_gpu, layout, threads))
    if not vision:
        llama_cpp.llama_model_free(handle)
        if any("mismatch" in line for line in _error_lines):
            raise UsageError(
                f"The projector {mmproj.name!r} does not fit {model.name!r}: their widths differ. "
                "Give the mmproj file that comes with the model."
            )
        raise BackendError(f"The projector {mmproj.name!r} cannot be loaded: {take_error()}.")
    vocabulary = llama_cpp.llama_model_get_vocab(handle)
    return NativeModel(
        handle,
        vocabulary,
        vision,
        n_vocabulary=llama_cpp.llama_vocab_n_tokens(vocabulary),
        embedding_size=llama_cpp.llama_model_n_embd_inp(handle),
        max_tokens=llama_cpp.llama_model_n_ctx_train(handle),
        is_recurrent=llama_cpp.llama_model_is_recurrent(handle) or llama_cpp.llama_model_is_hybrid(handle),
        sees_images_whole=mtmd_cpp.mtmd_decode_use_non_causal(vision, None),
        on_gpu=on_gpu,
    )


def _uses_gpu(options: GgufOptions) -> bool:
    has_gpu_build = bool(llama_cpp.llama_supports_gpu_offload())
    if options.device not in {"auto", "cpu"} and not has_gpu_build:
        raise UsageError(
            f"Device {options.device!r} is missing: the installed llama-cpp-python is built for the CPU only. "
            "Use --backend.device auto, or install a build for your GPU."
        )
    return has_gpu_build and options.device != "cpu" and options.gpu_layers != 0


def _vision_settings(on_gpu: bool, layout: ImageLayout | None, threads: int) -> Any:
    settings = mtmd_cpp.mtmd_context_params_default()
    settings.use_gpu = on_gpu
    settings.print_timings = False
    settings.n_threads = threads
    settings.media_marker = IMAGE.encode()
    settings.warmup = False  # it would reserve memory for the largest possible image
    if layout:  # images have the model's size: llama.cpp must not resize them again
        settings.image_min_tokens, settings.image_max_tokens = 1, layout.max_tokens
    return settings
