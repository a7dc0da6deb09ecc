"""A one-file plugin with a dataset of scenes. Every other scene is red from 1 s to 2 s; an option adds faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from anyanomaly import DatasetSpec, hookimpl
from anyanomaly.api import Dataset, Options
from anyanomaly.errors import DatasetNotFound
from anyanomaly.types import LabelledVideo


class SceneOptions(Options):
    root: str = Field("", description="folder of the scenes")
    n: int = Field(6, description="number of scenes")
    fault: Literal["", "long", "off", "gone", "twice"] = Field("", description="fault of the dataset")


class Scenes(Dataset[SceneOptions]):
    def videos(self) -> Iterator[LabelledVideo]:
        root = Path(self.options.root)
        if not root.is_dir():
            raise DatasetNotFound(f"There is no folder {root}. Make it.")
        for number in range(self.options.n):
            n_frames = 48 if number % 2 else 8
            path = root / f"{number:02}.scene"
            path.write_text(str(n_frames))
            red = np.zeros(n_frames, np.bool_)
            red[8:16] = True
            labels = {"red": red, "blue": np.zeros(n_frames, np.bool_), "any": red}
            if number == 1 and self.options.fault in ("long", "off"):
                labels["red"] = np.pad(red, (0, 30 if self.options.fault == "long" else 2))
            if number == 1 and self.options.fault == "gone":
                path.unlink()
            id = "00" if self.options.fault == "twice" else f"{number:02}"
            yield LabelledVideo(str(path), id, ("red", "blue"), labels, classes={"any": ("red", "blue")})


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    return [
        DatasetSpec(name="scenes", summary="Scenes", target=f"{__name__}:Scenes", options=f"{__name__}:SceneOptions")
    ]
