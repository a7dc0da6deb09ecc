"""Finding and loading a model, and a one-line error for each failure, before anything is computed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from anyanomaly_llamacpp import anyanomaly_register_backends
from anyanomaly_llamacpp.backend import GgufBackend
from anyanomaly_llamacpp.checkpoint import find_files
from anyanomaly_llamacpp.options import GgufOptions
from gguf import GGUFWriter
from pydantic import ValidationError

from anyanomaly.errors import AnyAnomalyError, BackendError, MissingRequirement, UsageError
from anyanomaly.types import Query
from plugins.demo.training.export_gguf import Files


def write_header(path: Path, architecture: str, **values: object) -> Path:
    """Write a GGUF file without tensors."""
    file = GGUFWriter(path, architecture)
    for key, value in values.items():
        add = file.add_bool if isinstance(value, bool) else file.add_string
        add(key.replace("__", "."), value)  # type: ignore[arg-type]
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.close()
    return path


def load(model: Path | str, **options: object) -> None:
    with GgufBackend(GgufOptions(model=str(model), **options)):  # type: ignore[arg-type]
        pass


def test_each_preset_names_its_own_model_and_differs_in_defaults_alone() -> None:
    specs = {spec.name: spec for spec in anyanomaly_register_backends()}
    families = "qwen qwen3 qwen35 internvl35 minicpm minicpm46 gemma4 smolvlm smolvlm-256m smolvlm-500m lfm2 glm46v"
    assert set(specs) == {"gguf", *(f"{family}-gguf" for family in families.split())}
    models = set()
    for spec in specs.values():
        module, _, name = spec.options.partition(":")
        options = getattr(import_module(module), name)()
        assert type(options).model_fields.keys() == GgufOptions.model_fields.keys()
        models.add(options.model)
    assert len(models) == len(specs)


@pytest.mark.parametrize(
    "invalid", [{"device": "gpu"}, {"batch_size": 0}, {"threads": -1}, {"min_pixels": 9, "max_pixels": 8}]
)
def test_options_that_make_no_sense_are_refused(invalid: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GgufOptions(**invalid)  # type: ignore[arg-type]


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs a model.*--backend\.model"):
        load("")
    with pytest.raises(MissingRequirement, match="no model file"):
        load(tmp_path / "no.gguf")
    with pytest.raises(UsageError, match="is a folder"):
        load(tmp_path)
    model = write_header(tmp_path / "model.gguf", "llama")
    with pytest.raises(MissingRequirement, match=r"no projector.*cannot see.*--backend\.mmproj"):
        load(model)
    with pytest.raises(MissingRequirement, match="no model file"):
        load(model, mmproj=str(tmp_path / "no.gguf"))


def test_the_projector_is_looked_up_beside_the_model_and_must_be_unambiguous(tmp_path: Path) -> None:
    model = write_header(tmp_path / "model.gguf", "llama")
    options = GgufOptions(model=str(model))
    quantised = write_header(tmp_path / "mmproj-model-Q8_0.gguf", "clip")
    assert find_files(options)[1].path == quantised
    half = write_header(tmp_path / "mmproj-model-f16.gguf", "clip")
    write_header(tmp_path / "mmproj-model-bf16.gguf", "clip")
    assert find_files(options)[1].path == half
    half.unlink()
    assert find_files(options)[1].path.name == "mmproj-model-bf16.gguf"
    write_header(half, "clip")
    write_header(tmp_path / "mmproj-other-f16.gguf", "clip")
    with pytest.raises(UsageError, match=r"mmproj-model-f16\.gguf, mmproj-other-f16\.gguf.*--backend\.mmproj"):
        find_files(options)


@pytest.mark.parametrize(
    ("projectors", "best"),
    [
        (["mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf"], "mmproj-F16.gguf"),
        (["mmproj-LFM2-VL-1.6B-F16.gguf", "mmproj-LFM2-VL-1.6B-Q8_0.gguf"], "mmproj-LFM2-VL-1.6B-F16.gguf"),
        (["mmproj-gemma-4-E2B-it-Q8_0.gguf", "mmproj-gemma-4-E2B-it-bf16.gguf"], "mmproj-gemma-4-E2B-it-bf16.gguf"),
        (["mmproj-GLM-4.6V-Flash-Q8_0.gguf"], "mmproj-GLM-4.6V-Flash-Q8_0.gguf"),
    ],
)
def test_the_best_precision_of_a_projector_is_used(tmp_path: Path, projectors: list[str], best: str) -> None:
    """Names as the repositories of the presets have them."""
    model = write_header(tmp_path / "model-Q4_K_M.gguf", "llama")
    for name in projectors:
        write_header(tmp_path / name, "clip")
    assert find_files(GgufOptions(model=str(model)))[1].path.name == best


@pytest.mark.parametrize(
    ("architecture", "values", "says"),
    [
        ("clip", {}, "is a projector"),
        ("llama", {"clip__projector_type": "qwen2.5vl_merger"}, "does not fit.*architecture llama"),
        ("qwen2vl", {"clip__projector_type": "idefics3"}, "does not fit.*architecture qwen2vl"),
        ("qwen2vl", {"clip__projector_type": "qwen2.5vl_merger", "clip__has_vision_encoder": False}, "not take images"),
        ("llama", {"clip__projector_type": "idefics3"}, "no chat template"),
        ("llama", {"general": "text"}, "is not a projector"),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, architecture: str, values: dict[str, object], says: str) -> None:
    model = write_header(tmp_path / "model.gguf", architecture)
    is_text = "general" in values
    header = {} if is_text else {"clip__has_vision_encoder": True} | values
    write_header(tmp_path / "mmproj.gguf", "llama" if is_text else "clip", **header)
    with pytest.raises(UsageError, match=says):
        load(model)


def test_a_hub_file_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("We couldn't connect to the hub\nand more")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(MissingRequirement, match=r"couldn't connect to the hub.*hf auth login"):
        load("someone/some-model:model.gguf")


def test_a_hub_model_and_its_projector_are_named_with_their_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "models--a--b" / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)

    def download(repo: str, file: str, revision: str) -> str:
        return str(write_header(snapshot / file, "clip"))

    names = ["model.gguf", "mmproj-b-Q8_0.gguf", "mmproj-b-f16.gguf", "README.md"]
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr("huggingface_hub.list_repo_files", lambda repo, revision: names)
    model, mmproj = find_files(GgufOptions(model="a/b:model.gguf"))
    assert (model.identity, mmproj.identity) == ("a/b@c0ffee:model.gguf", "a/b@c0ffee:mmproj-b-f16.gguf")

    def offline(*_: object, **__: object) -> list[str]:
        raise OSError("offline")

    monkeypatch.setattr("huggingface_hub.list_repo_files", offline)
    assert find_files(GgufOptions(model="a/b:model.gguf"))[1] == mmproj  # downloaded before


@pytest.mark.engine
@pytest.mark.parametrize(
    ("keep", "error", "says"),
    [(3, UsageError, "not a GGUF file"), (500, BackendError, "truncated or damaged"), (-5000, BackendError, "loaded")],
)
@pytest.mark.parametrize("part", ["model", "mmproj"])
def test_damaged_files(
    files: Files, tmp_path: Path, part: str, keep: int, error: type[AnyAnomalyError], says: str
) -> None:
    copies = {name: Path(shutil.copy(path, tmp_path)) for name, path in files._asdict().items()}
    copies[part].write_bytes(copies[part].read_bytes()[:keep])
    with pytest.raises(error, match=says):
        load(copies["model"])


@pytest.mark.engine
def test_a_projector_of_another_width(files: Files, tmp_path: Path) -> None:
    from plugins.demo.training.export_gguf import export
    from tests.support.tiny_models import make_model

    wide = export(make_model("qwen2_5_vl_wide", tmp_path / "wide"), tmp_path, "f16")
    with pytest.raises(UsageError, match=r"does not fit.*their widths differ"):
        load(files.model, mmproj=str(wide.mmproj))


@pytest.mark.engine
def test_a_missing_device_and_too_little_memory(
    files: Files, ask: Callable[..., Query], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"built for the CPU.*--backend\.device auto"):
        load(files.model, device="cuda")
    with pytest.raises(UsageError, match=r"takes questions of up to 4096 tokens.*--backend\.context-size"):
        load(files.model, context_size=10**9)
    monkeypatch.setattr("anyanomaly_llamacpp.decoder.free_memory", lambda: 1000.0)
    with (
        GgufBackend(GgufOptions(model=str(files.model))) as backend,
        pytest.raises(BackendError, match=r"no memory for a context of 1024 tokens.*--backend\.context-size"),
    ):
        backend.answer_batch([ask(0)])


@pytest.mark.engine
def test_pixel_limits_change_the_models_input(files: Files, ask: Callable[..., Query]) -> None:
    n_tokens = []
    for limits in ({"max_pixels": 3136}, {}, {"min_pixels": 20000}):
        with GgufBackend(GgufOptions(model=str(files.model), **limits)) as backend:
            n_tokens.append(backend.answer_batch([ask(3)])[0].prompt_tokens or 0)
    assert n_tokens[0] < n_tokens[1] < n_tokens[2]


@pytest.mark.engine
def test_the_fingerprint_depends_on_content_and_not_on_the_path(files: Files, tmp_path: Path) -> None:
    def load_fingerprint(model: Path, **options: object) -> str:
        with GgufBackend(GgufOptions(model=str(model), **options)) as backend:  # type: ignore[arg-type]
            return backend.fingerprint

    copies = Files(*(Path(shutil.copy(path, tmp_path)) for path in files))
    first = load_fingerprint(files.model)
    assert load_fingerprint(copies.model) == first
    assert str(files.model) not in first
    data = bytearray(copies.model.read_bytes())
    data[-100] ^= 1  # the same names and shapes, another value
    copies.model.write_bytes(data)
    assert len({first, load_fingerprint(copies.model), load_fingerprint(files.model, max_pixels=9000)}) == 3


def test_use_before_load_and_closing_twice(ask: Callable[..., Query]) -> None:
    backend = GgufBackend(GgufOptions(model="someone/some-model:file.gguf"))
    for use in (lambda: backend.answer_batch([ask(0)]), lambda: backend.fingerprint):
        with pytest.raises(BackendError, match="not loaded"):
            use()
    backend.close()
    backend.close()


@pytest.mark.engine
@pytest.mark.parametrize(
    ("part", "key", "value", "says"),
    [
        ("mmproj", "clip.vision.attention.head_count", 0, "crashes the library|cannot be loaded"),
        ("mmproj", "clip.vision.patch_size", 3, "crashes the library|cannot be loaded"),
        ("mmproj", "clip.vision.patch_size", 0, "cannot be (sized|loaded)"),
        ("model", "qwen2vl.block_count", 0, "makes no sense|cannot be loaded"),
        ("model", "qwen2vl.block_count", 2**31 - 1, "makes no sense|crashes"),
        ("model", "tokenizer.ggml.eos_token_id", 2**31 - 1, "makes no sense|cannot be loaded"),
    ],
)
def test_a_header_that_contradicts_the_weights_is_an_error(
    files: Files, tmp_path: Path, part: str, key: str, value: int, says: str
) -> None:
    """llama.cpp ends the process where it finds such a value: in a child process, that is an error here."""
    copies = {name: Path(shutil.copy(path, tmp_path)) for name, path in files._asdict().items()}
    content = copies[part].read_bytes()
    at = content.index(key.encode()) + len(key) + 4  # behind the name and the type of the value
    copies[part].write_bytes(content[:at] + value.to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(BackendError, match=says):
        load(copies["model"])
