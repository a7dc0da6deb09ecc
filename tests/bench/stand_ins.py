"""A one-file plugin: stand-ins for every dataset, encoder and model that a recipe of ``benchmarks/recipes`` names.

They have the names of the real ones, so that the recipes run unchanged: datasets of two short scenes, models that see
red.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import Field

from anyanomaly import BackendSpec, DatasetSpec, EncoderSpec, ReaderSpec, hookimpl
from anyanomaly.api import Dataset, Options, Reader
from anyanomaly.testing.fakes import FakeBackend, FakeEncoder
from anyanomaly.types import Frame, LabelledVideo, Video

N_FRAMES = 64
FPS = 8.0
RED = slice(24, 40)

CLASSES = {  # two of each group
    "avenue": ["abnormal"],
    "c-avenue": ["throwing", "running", "too_close", "bicycle"],
    "c-shanghaitech": ["running", "falling", "car", "hand_truck"],
    "demo": ["red ball"],
    "shanghaitech": ["abnormal"],
    "ubnormal": ["abnormal"],
    "ucf-crime": ["abnormal"],
}
BACKENDS = [
    *("qwen-hf", "qwen-vllm", "qwen-vllm-7b", "qwen-gguf", "chat-univi", "minigpt4", "minicpm-v", "llava-pp"),
    *("llava", "video-chatgpt", "demo-hf", "demo-gguf", "demo-vllm"),
]
ENCODERS = ["openclip", "imagebind", "demo-clip"]


class SceneOptions(Options):
    root: str = Field("", description="folder of the scenes")
    words: str = Field("", description="as in the real dataset")
    flavour: str = Field("", description="as in the real dataset")
    n_videos: int = Field(2, description="as in the real dataset")


class Scenes(Dataset[SceneOptions]):
    """Two scenes, red in the middle of the first."""

    classes: tuple[str, ...] = ()

    def videos(self) -> Iterator[LabelledVideo]:
        for name in ("red", "grey"):
            path = Path(self.options.root) / f"{name}.scene"
            path.write_text(name)
            labels = np.zeros(N_FRAMES, np.bool_)
            labels[RED] = name == "red"
            yield LabelledVideo(str(path), name, self.classes, dict.fromkeys(self.classes, labels))


def _dataset_class(name: str) -> type[Scenes]:
    return type(f"Scenes_{name.replace('-', '_')}", (Scenes,), {"classes": tuple(CLASSES[name])})


DATASETS = {dataset.__name__: dataset for dataset in map(_dataset_class, CLASSES)}
globals().update(DATASETS)  # so that a spec's target finds them


class SceneReader(Reader[Options]):
    """Reads a scene: grey, and red for two seconds where the file says so."""

    def probe(self, uri: str) -> Video:
        return Video(Path(uri).stem, uri, FPS, N_FRAMES, 32, 32)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        for index in range(start, N_FRAMES, every):
            image = np.full((32, 32, 3), 90, dtype=np.uint8)
            if Path(video.uri).read_text() == "red" and RED.start <= index < RED.stop:
                image[8:24, 8:24] = (255, 0, 0)
            yield Frame(video, index, index / video.fps, image)


class RedBackend(FakeBackend):
    """Sees red, in words or in log-probabilities."""

    def __init__(self, options: Options) -> None:
        super().__init__()


class ColourEncoder(FakeEncoder):
    """Mean colours."""


@hookimpl
def anyanomaly_register_readers() -> list[ReaderSpec]:
    return [
        ReaderSpec(name="scene", summary="Scenes", target=f"{__name__}:SceneReader", suffixes=frozenset({".scene"}))
    ]


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    return [EncoderSpec(name=name, summary="Stand-in", target=f"{__name__}:ColourEncoder") for name in ENCODERS]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    target = f"{__name__}:RedBackend"
    return [
        BackendSpec(name=name, summary="Stand-in", target=target, logprobs=True, max_images=None) for name in BACKENDS
    ]


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    options = f"{__name__}:SceneOptions"
    return [
        DatasetSpec(
            name=name, summary="Stand-in", target=f"{__name__}:{_dataset_class(name).__name__}", options=options
        )
        for name in CLASSES
    ]
