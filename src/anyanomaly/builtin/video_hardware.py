"""Decoders in hardware: which one can decode a file on this machine."""

from __future__ import annotations

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

from anyanomaly.builtin.video_file import choose_stream, open_video
from anyanomaly.errors import VideoError


def choose_hardware(uri: str, stream_number: int | None, name: str) -> HWAccel | None:
    """Return the decoder in hardware for a video stream; None: decode on the CPU.

    :param name: FFmpeg's name of the interface; ``auto``: the first that works, if any; ``none``: the CPU.
    :raises VideoError: when the named interface cannot decode the stream on this machine.
    """
    if name == "none":
        return None
    with open_video(uri) as container:  # what is wrong with the file is not blamed on the hardware
        choose_stream(container, uri, stream_number)
    available = hwdevices_available()
    for kind in available if name == "auto" else [name]:
        if kind in available and _can_decode(uri, stream_number, kind):
            return HWAccel(kind, allow_software_fallback=name == "auto")
    if name == "auto":
        return None
    raise VideoError(
        f"{uri} cannot be decoded with --reader.hardware {name} on this machine: the device, its driver or support for "
        f"this codec is missing (FFmpeg is built for: {', '.join(available) or 'none'}). Use --reader.hardware none."
    )


def _can_decode(uri: str, stream_number: int | None, kind: str) -> bool:
    """Return whether the first packets of a stream give a frame."""
    try:
        with open_video(uri, HWAccel(kind, allow_software_fallback=False)) as container:
            stream = choose_stream(container, uri, stream_number)
            return stream.codec_context.is_hwaccel and next(container.decode(stream), None) is not None
    except (VideoError, av.FFmpegError, RuntimeError, NotImplementedError):
        return False
