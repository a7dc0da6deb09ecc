"""Options, presets, failures while loading and answering, and the fingerprint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from logging import StreamHandler
from pathlib import Path

import pytest
import torch
from anyanomaly_transformers import anyanomaly_register_backends
from anyanomaly_transformers.backend import TransformersBackend
from anyanomaly_transformers.generation import RepetitionPenalty
from anyanomaly_transformers.options import TransformersOptions
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly.types import Query, Sampling

Checkpoint = Callable[[str], Path]


def load(model: object = "", **options: object) -> TransformersBackend:
    backend = TransformersBackend(TransformersOptions(**{"model": str(model), "device": "cpu"} | options))
    backend.load()
    return backend


def copy(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "copy"))


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_each_preset_names_its_own_model_and_differs_in_defaults_alone() -> None:
    specs = {spec.name: spec for spec in anyanomaly_register_backends()}
    families = (
        "qwen qwen3 qwen35 internvl internvl35 gemma gemma4 smolvlm smolvlm-256m smolvlm-500m minicpm46 lfm2 glm46v"
    )
    assert set(specs) == {"transformers", *(f"{family}-hf" for family in families.split())}
    models = set()
    for spec in specs.values():
        module, _, name = spec.options.partition(":")
        options = getattr(import_module(module), name)()
        assert type(options).model_fields.keys() == TransformersOptions.model_fields.keys()
        models.add(options.model)
    assert len(models) == len(specs)


@pytest.mark.parametrize("invalid", [{"device": "gpu"}, {"batch_size": 0}, {"min_pixels": 9, "max_pixels": 8}])
def test_options_that_make_no_sense_are_refused(invalid: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TransformersOptions(**invalid)  # type: ignore[arg-type]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("model", "options", "error", "says"),
    [
        ("", {}, UsageError, "needs a model.*--backend.model"),
        ("./not/there", {}, MissingRequirement, "no model folder"),
        ("EMPTY", {}, UsageError, r"no config\.json"),
        ("qwen2_5_vl", {"device": "cuda:63"}, UsageError, "--backend.device auto"),
        ("llava", {"max_pixels": 5000}, UsageError, "by their area"),
    ],
)
def test_options_that_cannot_work_fail_before_weights_are_read(
    checkpoint: Checkpoint, tmp_path: Path, model: str, options: dict[str, object], error: type[Exception], says: str
) -> None:
    place = tmp_path if model == "EMPTY" else checkpoint(model) if model.isidentifier() else model
    with pytest.raises(error, match=says):
        load(place, **options)


@pytest.mark.engine
def test_a_package_that_an_option_needs_is_named(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly_transformers.loading.find_spec", lambda name: None)
    with pytest.raises(MissingRequirement, match="pip install bitsandbytes"):
        load(checkpoint("qwen2_5_vl"), quantization="4bit")


@pytest.mark.engine
def test_a_hub_model_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("We couldn't connect to the hub\nand more")

    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", offline)
    with pytest.raises(MissingRequirement, match="hf auth login"):
        load("someone/some-model")


@pytest.mark.engine
def test_a_text_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UsageError, match=r"type llama.*does not answer questions about images"):
        load(tmp_path)


@pytest.mark.engine
def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "not-yet-made"}))
    with pytest.raises(UsageError, match="pip install -U transformers"):
        load(tmp_path)


@pytest.mark.engine
def test_code_that_comes_with_a_model_needs_permission(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (tmp_path / "own.py").write_text(f"open({str(trace)!r}, 'w').close()\n")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}))
    with pytest.raises(UsageError, match=r"--backend\.trust-remote-code"):
        load(tmp_path)
    assert not trace.exists()


@pytest.mark.engine
def test_weights_that_lack_tensors_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = copy(checkpoint("qwen2_5_vl"), tmp_path)
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("lm_head.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackendError, match=r"lack 1 tensors, 'lm_head\.weight'"):
        load(folder)


@pytest.mark.engine
def test_damaged_weights_are_an_error_of_ours(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = copy(checkpoint("qwen2_5_vl"), tmp_path)
    (folder / "model.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(BackendError, match="cannot be loaded"):
        load(folder)


@pytest.mark.engine
def test_a_model_without_chat_template_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = copy(checkpoint("qwen2_5_vl"), tmp_path)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(UsageError, match="no chat template"):
        load(folder)


@pytest.mark.engine
def test_the_checkpoints_own_sampling_defaults_do_not_apply(
    checkpoint: Checkpoint, tmp_path: Path, qwen: TransformersBackend, ask: Callable[..., Query]
) -> None:
    folder = copy(checkpoint("qwen2_5_vl"), tmp_path)
    unusual = {"do_sample": True, "temperature": 9.0, "repetition_penalty": 3.0, "num_beams": 3, "min_new_tokens": 20}
    edit(folder / "generation_config.json", **unusual)
    queries = [ask(number) for number in range(3)]
    assert load(folder).answer_batch(queries) == qwen.answer_batch(queries)


@pytest.mark.engine
def test_a_sampled_answer_depends_on_seed_and_content_only(
    qwen: TransformersBackend, ask: Callable[..., Query]
) -> None:
    def sampled_text(number: int, seed: int) -> str:
        sampling = Sampling(max_tokens=12, temperature=1.5, seed=seed)
        return qwen.answer_batch([ask(number, sampling=sampling)])[0].text

    assert sampled_text(0, seed=1) == sampled_text(0, seed=1)
    assert len({sampled_text(0, seed=seed) for seed in range(4)}) == 4


@pytest.mark.engine
def test_a_template_without_a_system_turn_still_gets_the_system_text(
    checkpoint: Checkpoint, tmp_path: Path, ask: Callable[..., Query]
) -> None:
    from anyanomaly_transformers.prompts import render_prompt
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(checkpoint("llava"))
    refuse = "{%- if messages[0].role == 'system' %}{{ raise_exception('no system turn') }}{%- endif %}"
    processor.chat_template = refuse + processor.chat_template
    text = render_prompt(processor, ask(0, system="Judge it.", prompt="Is it there?"))
    assert "Judge it.\nIs it there?" in text
    with pytest.raises(UsageError, match="special token of this model"):
        render_prompt(processor, ask(0, prompt="a <image> of it"))


@pytest.mark.engine
@pytest.mark.parametrize(
    ("raised", "says"),
    [(torch.OutOfMemoryError("CUDA out of memory"), "--backend.batch-size"), (KeyError("x"), "KeyError")],
)
def test_exceptions_of_the_engine_become_errors_of_ours(
    qwen: TransformersBackend, ask: Callable[..., Query], monkeypatch: pytest.MonkeyPatch, raised: Exception, says: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    assert qwen._loaded is not None
    for method in ("generate", "forward"):
        monkeypatch.setattr(qwen._loaded.model, method, fail)
    with pytest.raises(BackendError, match=says):
        qwen.answer_batch([ask(0)])


def test_use_before_load_and_closing_twice(ask: Callable[..., Query]) -> None:
    backend = TransformersBackend(TransformersOptions(model="someone/some-model"))
    for use in (lambda: backend.answer_batch([ask(0)]), lambda: backend.fingerprint):
        with pytest.raises(BackendError, match="not loaded"):
            use()
    backend.close()
    backend.close()


@pytest.mark.engine
def test_the_fingerprint_depends_on_content_and_not_on_the_path(checkpoint: Checkpoint, tmp_path: Path) -> None:
    original = checkpoint("qwen2_5_vl")
    folder = copy(original, tmp_path)
    first = load(original).fingerprint
    assert load(folder).fingerprint == first
    assert str(original) not in first
    changed_fingerprints = [
        load(original, **more).fingerprint for more in ({"dtype": "bfloat16"}, {"max_pixels": 9000})
    ]
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] += 0.5  # the same names and shapes, other values
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    changed_fingerprints.append(load(folder).fingerprint)
    assert len({first, *changed_fingerprints}) == 4


@pytest.mark.engine
def test_loading_and_answering_log_nothing_and_leave_the_level_alone(
    checkpoint: Checkpoint,
    ask: Callable[..., Query],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from transformers.utils import logging

    messages: list[str] = []
    handler = StreamHandler()
    monkeypatch.setattr(handler, "emit", lambda record: messages.append(record.getMessage()))
    logging.add_handler(handler)
    before = logging.get_verbosity()
    logger = logging.get_logger("transformers.test")
    try:
        backend = load(checkpoint("gemma3"))
        assert backend._loaded is not None
        template = backend._loaded.processor.apply_chat_template

        def apply_and_log(*args: object, **more: object) -> object:
            logger.warning("noise")
            return template(*args, **more)

        monkeypatch.setattr(backend._loaded.processor, "apply_chat_template", apply_and_log)
        backend.answer_batch([ask(0), ask(1, sampling=Sampling(choices=("0", "1")))])
        assert messages == []
        logger.warning("the user's own")
    finally:
        logging.remove_handler(handler)
    assert messages == ["the user's own"]
    assert logging.get_verbosity() == before


def test_the_repetition_penalty_ignores_padding() -> None:
    """A token that stands only in the padding keeps its score; image tokens beyond the vocabulary cause no error."""
    ids, mask = torch.tensor([[0, 0, 2, 9], [0, 1, 2, 9]]), torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    penalty = RepetitionPenalty(mask, 2.0)
    scores = torch.tensor([[4.0, 4.0, -1.0, 4.0]]).repeat(2, 1)
    assert penalty(ids, scores).tolist() == [[4.0, 4.0, -2.0, 4.0], [2.0, 2.0, -2.0, 4.0]]
    longer = torch.cat([ids, torch.tensor([[3], [3]])], dim=1)
    assert penalty(longer, scores)[:, 3].tolist() == [2.0, 2.0]
    assert ids.tolist() == [[0, 0, 2, 9], [0, 1, 2, 9]]
