"""Videos, images and folders: damaged, absurd, or not what their names say."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from tests.campaign.assets import N_FRAMES
from tests.campaign.hostile import mutate
from tests.campaign.results import read_lines, segments_of
from tests.campaign.stage import Stage

_RUN = ("-t", "red", "--backend.digest", "-o", "out.jsonl", "--no-cache")

_SOUND: dict[str, list[dict[str, object]]] = {}
"""The segments of each sound file, run alone."""


def play(stage: Stage) -> str:
    """Run a damaged input beside a sound one, or an absurd input alone."""
    kinds: list[tuple[int, Callable[[Stage], str]]] = [
        (60, _damaged),
        (10, _sound),
        (12, _absurd_image),
        (8, _not_media),
        (8, _odd_folder),
        (6, _reference),
        (6, _disguised),
    ]
    return stage.random.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])[0](stage)


def _assets(stage: Stage) -> list[Path]:
    return sorted(path for path in stage.assets.iterdir() if path.is_file())


def _run(stage: Stage, names: list[str], codes: set[int], **settings: object) -> list[dict[str, object]]:
    stage.engine_run(*names, *_RUN, codes=codes, writes=["out.jsonl"], **settings)
    return read_lines(stage, "out.jsonl")


def _copy(stage: Stage, asset: Path, name: str | None = None) -> str:
    target = stage.work / (name or asset.name)
    shutil.copyfile(asset, target)
    return target.name


def _sound(stage: Stage) -> str:
    """A sound file has all its frames, once, and exit code 0."""
    asset = stage.random.choice(_assets(stage))
    lines = _run(stage, [_copy(stage, asset)], {0})
    n_frames = 1 if asset.name.startswith("image.") else N_FRAMES
    found = [(line["start"], line["stop"]) for line in lines if line["type"] == "segment"]
    wanted = [(start, min(start + 8, n_frames)) for start in range(0, n_frames, 8)]
    stage.check(found == wanted, f"{asset.name}: segments {found} instead of {wanted}")
    return f"sound {asset.suffix}"


def _damaged(stage: Stage) -> str:
    """A damaged file ends with 0 or 4, has no more than it can have, and the sound file beside it keeps its scores."""
    damaged, sound = stage.random.choice(_assets(stage)), stage.random.choice(_assets(stage))
    kind, content = mutate(stage.random, damaged.read_bytes())
    stage.write(f"damaged{damaged.suffix}", content)
    name = _copy(stage, sound, f"sound{sound.suffix}")
    order = [f"damaged{damaged.suffix}", name]
    stage.random.shuffle(order)
    lines = _run(stage, order, {0, 4})
    if sound.name not in _SOUND:
        (stage.work / "out.jsonl").unlink(missing_ok=True)
        _SOUND[sound.name] = segments_of(_run(stage, [name], {0}))
    ids = {line["video"] for line in lines if line["type"] == "segment"}
    sound_id = next((str(id) for id in ids if "sound" in str(id)), "")
    found, wanted = segments_of(lines, sound_id), _SOUND[sound.name]
    stage.check(found == wanted, f"the sound {name} has other scores beside damaged{damaged.suffix}")
    damaged_segments = [line for line in lines if line["type"] == "segment" and "damaged" in str(line["video"])]
    starts = [line["start"] for line in damaged_segments]
    stage.check(starts == sorted(set(starts)), f"segments of the damaged file are out of order: {starts}")
    values = [line["value"] for line in damaged_segments]
    stage.check(all(value is not None and 0 <= value <= 1 for value in values), f"values {values}")  # type: ignore[operator]
    return f"{kind} {damaged.name}"


def _png(width: int, height: int, kind: int = 2, depth: int = 8, rows: bytes = b"") -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width & 0xFFFFFFFF, height & 0xFFFFFFFF, depth, kind, 0, 0, 0)
    body = zlib.compress(rows or bytes(1000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _absurd_image(stage: Stage) -> str:
    """A header that declares more pixels than any camera gives is refused, whatever the format."""
    rng = stage.random
    side = rng.choice((30_000, 65_535, 100_000, 1_000_000, 2**31 - 1))
    short = min(side, 65_535)
    kind, content = rng.choice(
        (
            ("png", _png(side, side)),
            ("png", _png(side, 1, rows=bytes(100))),
            ("png", _png(0, side)),
            ("bmp", b"BM" + struct.pack("<IHHIIiiHHIIIIII", 54, 0, 0, 54, 40, side, side, 1, 24, 0, 0, 1, 1, 0, 0)),
            ("bmp", b"BM" + struct.pack("<IHHIIiiHHIIIIII", 54, 0, 0, 54, 40, 10, -(2**31), 1, 24, 0, 0, 1, 1, 0, 0)),
            (
                "gif",
                b"GIF89a"
                + struct.pack("<HHBBB", short, short, 0, 0, 0)
                + b",\0\0\0\0"
                + struct.pack("<HH", short, short)
                + b"\0\x02\x02D\x01\0;",
            ),
            (
                "jpg",
                b"\xff\xd8\xff\xc0\0\x11\x08"
                + struct.pack(">HH", short, short)
                + b"\x03\x01\x22\0\x02\x11\x01\x03\x11\x01\xff\xd9",
            ),
            ("ppm", f"P6 {side} {side} 255\n".encode() + bytes(100)),
            ("pgm", f"P5 {side} {side} 65535\n".encode() + bytes(100)),
            (
                "webp",
                b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0"
                + (min(side, 2**24) - 1).to_bytes(3, "little") * 2
                + bytes(4),
            ),
            (
                "tiff",
                b"II*\0\x08\0\0\0\x03\0\0\x01\x04\0\x01\0\0\0"
                + struct.pack("<I", side)
                + b"\x01\x01\x04\0\x01\0\0\0"
                + struct.pack("<I", side)
                + b"\x03\x01\x03\0\x01\0\0\0\x01\0\0\0"
                + bytes(4),
            ),
        )
    )
    if rng.random() < 0.3:
        stage.write(f"frames/a1.{kind}", content)
        name = "frames"
    else:
        name = stage.write(f"absurd.{kind}", content).name
    _run(stage, [name], {4})
    return f"absurd {kind}"


def _bomb(stage: Stage) -> bytes:
    """Return a sound image of 12,000 x 12,000 pixels in a few kilobytes."""
    return _png(12_000, 12_000, kind=0, rows=bytes(12_001 * 12_000))


def _not_media(stage: Stage) -> str:
    """What is no media at all is refused: exit code 4."""
    rng = stage.random
    suffix = rng.choice((".mp4", ".avi", ".mkv", ".png", ".jpg", ".gif", ".webp", ".tiff", ".webm", ".ts"))
    path = stage.work / f"input{suffix}"
    kind = rng.choice(("empty", "noise", "text", "folder", "fifo", "loop", "missing", "dangling", "zeros", "device"))
    match kind:
        case "empty":
            path.touch()
        case "noise":
            path.write_bytes(rng.randbytes(rng.choice((1, 10, 1000))))
        case "text":
            path.write_text("This is no video. " * rng.choice((1, 1000)))
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path.name)
        case "dangling":
            path.symlink_to("nothing")
        case "zeros":
            path.write_bytes(bytes(rng.choice((1, 4096, 1_000_000))))
        case "device":
            path.symlink_to(rng.choice(("/dev/zero", "/dev/random", "/dev/null", "/dev/tty")))
    _run(stage, [path.name], {4})
    return f"{kind} {suffix}"


def _odd_folder(stage: Stage) -> str:
    """A folder of images with something odd in it: 0 or 4, and 0 where the odd thing is no image by its name."""
    rng = stage.random
    shutil.copytree(stage.assets / "frames", stage.work / "frames")
    kind = rng.choice(
        ("fifo", "device", "folder", "broken", "empty", "text", "loop", "bomb", "other size", "unreadable name")
    )
    odd = stage.work / "frames" / "frame_4x.png"
    codes = {0, 4}
    match kind:
        case "fifo":
            os.mkfifo(odd)
        case "device":
            odd.symlink_to("/dev/zero")
        case "folder":
            odd.mkdir()
        case "broken":
            odd.write_bytes(mutate(rng, (stage.assets / "image.png").read_bytes())[1])
        case "empty":
            odd.touch()
        case "text":
            (stage.work / "frames" / "readme.txt").write_text("hello")
            codes = {0}
        case "loop":
            odd.symlink_to(odd.name)
        case "bomb":
            odd.write_bytes(_bomb(stage))
        case "other size":
            odd.write_bytes(_png(7, 3, rows=bytes(3 * 22)))
        case "unreadable name":
            os.rename(stage.work / "frames" / "frame_4.png", os.fsencode(stage.work / "frames") + b"/frame_4\xff.png")
    _run(stage, ["frames"], codes)
    return f"folder with {kind}"


def _reference(stage: Stage) -> str:
    """A playlist or script that names other files or addresses does not open them."""
    rng = stage.random
    target = stage.write("private.txt", "private words")
    url = rng.choice(
        (
            f"file://{target}",
            str(target),
            "http://127.0.0.1:9/x",
            "concat:/etc/passwd|/etc/hosts",
            "subfile:,,start,0,end,0,,:/etc/passwd",
        )
    )
    suffix, content = rng.choice(
        (
            ("m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n"),
            ("mp4", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n"),
            ("ffconcat", f"ffconcat version 1.0\nfile '{url}'\n"),
            ("mkv", f"ffconcat version 1.0\nfile '{url}'\n"),
            ("avi", f"ffconcat version 1.0\nfile {url}\nduration 1e9\n"),
            ("sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n"),
            ("svg", f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}"/></svg>'),
        )
    )
    outcome_codes = {2, 4}
    stage.write(f"list.{suffix}", content)
    stage.engine_run(f"list.{suffix}", *_RUN, codes=outcome_codes, writes=["out.jsonl"])
    stage.check(
        b"private words" not in stage.outcomes[-1].out + stage.outcomes[-1].err, "a file that was not named was read"
    )
    return f"reference in {suffix}"


def _disguised(stage: Stage) -> str:
    """A sound file under the suffix of another format, or two files joined: 0 or 4."""
    rng = stage.random
    asset, other = rng.choice(_assets(stage)), rng.choice(_assets(stage))
    if rng.random() < 0.5:
        name = _copy(stage, asset, f"disguised{other.suffix}")
    else:
        cut = rng.randrange(asset.stat().st_size)
        name = stage.write(f"joined{asset.suffix}", asset.read_bytes()[:cut] + other.read_bytes()).name
    lines = _run(stage, [name], {0, 4})
    stage.check(json.dumps(lines).count('"type": "segment"') <= 64, "more segments than the files can hold")
    return f"{name.split('.')[0]} {asset.suffix} as {name.rpartition('.')[2]}"
