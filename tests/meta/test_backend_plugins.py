"""Backend plugins keep to one scheme: module names, public surfaces, declared downloads. No engine is needed."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anyanomaly import registry
from anyanomaly.api import Download
from anyanomaly.specs import BackendSpec

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
QWEN = "Qwen/Qwen2.5-VL-3B-Instruct"
CLIP_14, CLIP_336 = (Download(f"openai/clip-vit-large-patch14{side}", option="tower") for side in ("", "-336"))

DOWNLOADS: dict[str, tuple[Download, ...]] = {
    "transformers": (),
    "qwen-hf": (Download(QWEN),),
    "smolvlm-hf": (Download("HuggingFaceTB/SmolVLM2-2.2B-Instruct"),),
    "vllm": (),
    "qwen-vllm": (Download(QWEN),),
    "minicpm-vllm": (Download("openbmb/MiniCPM-V-2_6"),),
    "gguf": (),
    "qwen-gguf": (Download("ggml-org/Qwen2.5-VL-3B-Instruct-GGUF", file="Qwen2.5-VL-3B-Instruct-Q4_K_M.gguf"),),
    "openai": (),
    "chat-univi": (Download("Chat-UniVi/Chat-UniVi"), CLIP_14),
    "chat-univi-v1-5": (Download("Chat-UniVi/Chat-UniVi-7B-v1.5"), CLIP_336),
    "llava": (Download("liuhaotian/llava-v1.5-7b"), CLIP_336),
    "llava-pp": (Download("MBZUAI/LLaVA-Meta-Llama-3-8B-Instruct-FT"), CLIP_336),
    "video-chatgpt": (
        Download("mmaaz60/LLaVA-7B-Lightening-v1-1"),
        CLIP_14,
        Download("MBZUAI/Video-ChatGPT-7B", option="adapter"),
    ),
    "minigpt4": (Download("meta-llama/Llama-2-7b-chat-hf"),),
    "minicpm-v": (Download("openbmb/MiniCPM-Llama3-V-2_5"),),
    "demo-hf": (),
    "demo-gguf": (),
    "demo-vllm": (),
}


@pytest.fixture(scope="module")
def plugins() -> registry.Registry:
    return registry.load()


@pytest.mark.parametrize("name", DOWNLOADS)
def test_downloads_are_declared_without_a_network(plugins: registry.Registry, name: str) -> None:
    model = plugins.options_model(plugins.find("backend", name))
    assert model().downloads() == DOWNLOADS[name]


def test_a_local_model_declares_what_it_still_needs(plugins: registry.Registry, tmp_path: Path) -> None:
    def declared(backend: str, **options: str) -> tuple[Download, ...]:
        return plugins.options_model(plugins.find("backend", backend)).model_validate(options).downloads()

    model = tmp_path / "model"
    model.mkdir()
    for backend in ("qwen-hf", "qwen-vllm", "qwen-gguf", "llava", "minicpm-v", "minigpt4"):
        assert declared(backend, model=str(model)) == (), backend
    assert declared("qwen-hf", model="a/b", revision="v2") == (Download("a/b", "v2"),)
    assert declared("qwen-gguf", model=str(model), mmproj="a/b:mmproj.gguf", revision="v2") == (
        Download("a/b", "v2", "mmproj.gguf", "mmproj"),
    )
    assert declared("llava", model="someone/else") == (Download("someone/else"),)  # its tower is not known before
    assert declared("llava", model=str(model), tower="a/tower") == (Download("a/tower", option="tower"),)
    (model / "config.json").write_text('{"mm_vision_tower": "a/named"}')
    assert declared("llava", model=str(model)) == (Download("a/named", option="tower"),)
    (model / "a" / "named").mkdir(parents=True)
    assert declared("llava", model=str(model)) == ()
    (tmp_path / "Video-ChatGPT-7B").mkdir()
    assert declared("video-chatgpt", model=str(model)) == (CLIP_14,)


def test_backends_are_in_backend_py_and_their_options_in_options_py(plugins: registry.Registry) -> None:
    for spec in plugins.specs("backend"):
        package = spec.target.partition(".")[0]
        if package in {"anyanomaly", "anyanomaly_demo"} or not package.startswith("anyanomaly_"):
            continue
        assert re.fullmatch(rf"{package}\.backend:\w+Backend", spec.target), spec.target
        assert re.fullmatch(rf"{package}\.options:\w+Options", spec.options), spec.options


def test_backends_that_write_prompts_with_a_chat_template_offer_thinking(plugins: registry.Registry) -> None:
    packages: dict[bool, set[str]] = {True: set(), False: set()}
    for spec in plugins.specs("backend"):
        offers_it = "thinking" in plugins.options_model(spec).model_fields
        packages[offers_it].add(spec.target.partition(".")[0].removeprefix("anyanomaly_"))
    assert packages[True] == {"transformers", "vllm", "llamacpp", "openai", "demo"}
    assert not packages[True] & packages[False]


def test_auto_prefers_engines_on_the_gpu_and_small_weights_on_the_cpu(plugins: registry.Registry) -> None:
    ranks: dict[str, list[tuple[int, str]]] = {}
    for spec in plugins.specs("backend"):
        assert isinstance(spec, BackendSpec)
        for choice in spec.auto:
            ranks.setdefault(choice.device, []).append((choice.rank, spec.name))
    assert {device: [name for _, name in sorted(choices, reverse=True)] for device, choices in ranks.items()} == {
        "cuda": ["qwen-vllm", "qwen-hf"],
        "mps": ["qwen-hf"],
        "cpu": ["qwen-gguf", "qwen-hf"],
    }


def test_other_plugins_use_the_public_module_of_the_transformers_plugin_alone() -> None:
    package = "anyanomaly_transformers"
    for path in PLUGINS.glob("*/src/*/**/*.py"):
        if package in path.parts:
            continue
        for module in re.findall(rf"(?:from|import) {package}([\w.]*)", path.read_text()):
            assert module == ".api", f"{path}: {package}{module}"
    api = importlib.import_module(f"{package}.api")
    for name in api.__all__:
        assert getattr(api, name) is not None


@pytest.mark.parametrize("module", ["anyanomaly_transformers.api", "anyanomaly_chatunivi.options"])
def test_public_modules_and_options_import_no_engine(module: str) -> None:
    probe = f"import sys, {module}; print({{'torch', 'transformers', 'vllm', 'llama_cpp'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout.strip() == "set()"
