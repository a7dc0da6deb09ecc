"""Images that other processes resize are, pixel for pixel, those that the model's processor would make."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from anyanomaly_vllm import preparation
from anyanomaly_vllm.preparation import MIN_PIXELS, ImagePool, default_processes
from anyanomaly_vllm.sizing import ImageSizing, find_sizing
from PIL import Image

from anyanomaly.types import ImageArray

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def processors() -> dict[str, Any]:
    """Return image processors of families that size images by their area, by name."""
    from transformers import Glm46VImageProcessor, Qwen2VLImageProcessor

    limits = {"shortest_edge": 56 * 56, "longest_edge": 400_000}
    return {
        "qwen": Qwen2VLImageProcessor(size=limits),
        "qwen with patches of 16": Qwen2VLImageProcessor(size=limits, patch_size=16),
        "glm": Glm46VImageProcessor(size=limits),
    }


@pytest.fixture(scope="module")
def sizing(processors: dict[str, Any]) -> ImageSizing:
    found = find_sizing(SimpleNamespace(image_processor=processors["qwen"]))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def pool(sizing: ImageSizing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImagePool]:
    with (tmp_path_factory.mktemp("pool") / "log").open("w+b") as log:
        made = ImagePool(sizing, 1, log)
        yield made
        made.close()


def random_image(height: int, width: int, seed: int = 0) -> ImageArray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def prepare(pool: ImagePool, images: Sequence[ImageArray]) -> Sequence[ImageArray]:
    delivered: Queue[Sequence[ImageArray] | Exception] = Queue()
    pool.prepare(images, delivered.put)
    result = delivered.get(timeout=600)
    if isinstance(result, Exception):
        raise result
    return result


@pytest.mark.parametrize("family", ["qwen", "qwen with patches of 16", "glm"])
@pytest.mark.parametrize("shape", [(720, 1280), (333, 417), (97, 50), (31, 2000), (616, 644)])
def test_the_processor_makes_the_same_tensors_of_a_resized_image(
    processors: dict[str, Any], family: str, shape: tuple[int, int]
) -> None:
    processor = processors[family]
    found = find_sizing(SimpleNamespace(image_processor=processor))
    assert found is not None
    image = random_image(*shape)
    resized = found.resize(image)
    assert resized.dtype == np.uint8
    assert found.resize(resized).shape == resized.shape  # the processor's own resize has nothing to do
    expected, tensors = (processor([Image.fromarray(array)], return_tensors="pt") for array in (image, resized))
    assert (expected["pixel_values"] == tensors["pixel_values"]).all()
    assert (expected["image_grid_thw"] == tensors["image_grid_thw"]).all()


def test_processors_that_do_more_than_resize_have_no_sizing(processors: dict[str, Any]) -> None:
    from transformers import CLIPImageProcessor

    class Other(type(processors["qwen"])):  # type: ignore[misc]  # as code that comes with a model
        pass

    for image_processor in (None, CLIPImageProcessor(), Other()):
        assert find_sizing(SimpleNamespace(image_processor=image_processor)) is None


def test_the_pool_gives_what_the_sizing_gives(pool: ImagePool, sizing: ImageSizing) -> None:
    images = [random_image(500, 700), random_image(301, 400, 1)]
    for result, image in zip(prepare(pool, images), images, strict=True):
        assert (result == sizing.resize(image)).all()
    assert list(prepare(pool, [])) == []


def test_small_images_stay_here_and_shared_ones_are_resized_once(pool: ImagePool) -> None:
    small, large = random_image(100, MIN_PIXELS // 100 - 1), random_image(400, 400)
    first = prepare(pool, [small, large])
    second = prepare(pool, [large, small])
    assert first[0] is small
    assert second[1] is small
    assert first[1] is second[0]


def test_a_killed_process_is_an_error_and_not_a_wait(sizing: ImageSizing, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as log:
        pool = ImagePool(sizing, 1, log)
        prepare(pool, [random_image(400, 400)])
        (process,) = pool._processes
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ChildProcessError, match="prepares images"):
            prepare(pool, [random_image(400, 401)])
        pool.close()
        pool.close()


SCRIPT = """
import tempfile
import time
import numpy as np
from anyanomaly_vllm.preparation import ImagePool
from anyanomaly_vllm.sizing import ImageSizing
from transformers import Qwen2VLImageProcessor
pool = ImagePool(ImageSizing(Qwen2VLImageProcessor()), 1, tempfile.TemporaryFile())
pool.prepare([np.zeros((400, 400, 3), np.uint8)], lambda images: print(pool._processes[0].pid, flush=True))
time.sleep(600)
"""


def test_the_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    wait_for_end(child)


def wait_for_end(process_id: int) -> None:
    for _ in range(600):
        try:
            os.kill(process_id, 0)
            if Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.1)
    raise AssertionError("the process is still there after a minute")


def test_the_number_of_processes_follows_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {}
    for n_cores in (1, 2, 4, 8, 16, 64):
        monkeypatch.setattr(preparation, "_usable_cores", lambda n_cores=n_cores: n_cores)
        numbers[n_cores] = default_processes(on_cpu=False)
        assert default_processes(on_cpu=True) == 0
    assert numbers == {1: 0, 2: 0, 4: 1, 8: 2, 16: 4, 64: 4}
