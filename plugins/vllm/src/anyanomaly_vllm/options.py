"""Options of the backend ``vllm``; a preset is a subclass with other defaults."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from anyanomaly.kit import MODEL, HubModelOptions, PixelOptions, Precision, ThinkingOptions


class VllmOptions(ThinkingOptions, PixelOptions, HubModelOptions):
    """Weights, precision, memory and batches."""

    needs_remote_code: ClassVar[bool] = False
    """True when the preset's model needs Python code that comes with it."""

    dtype: Precision = "auto"
    quantization: str = Field(
        "", description="quantisation as vLLM names it, such as fp8 or bitsandbytes; empty: that of the checkpoint"
    )
    tensor_parallel: int = Field(1, ge=1, le=1024, description="number of GPUs that share the weights")
    memory_share: float = Field(0.9, gt=0, le=1, description="fraction of the GPU's memory that the engine may use")
    kv_cache_gib: float | None = Field(
        None, gt=0, description="GiB for the key-value cache; none: what memory_share leaves on a GPU, 2 on a CPU"
    )
    max_model_len: int | None = Field(
        None, ge=1, description="longest query with its answer, in tokens; none: computed from the queries"
    )
    batch_size: int = Field(256, ge=1, le=65_536, description="queries in the engine at once, at most")
    batched_tokens: int | None = Field(
        None, ge=1, le=2**20, description="tokens that the engine computes in one step; none: vLLM's choice"
    )
    vision_graphs: bool = Field(
        True, description="CUDA graphs for the vision tower, on a GPU, where vLLM has them for the model"
    )
    prepare_processes: int | None = Field(
        None,
        ge=0,
        le=64,
        description="processes that resize images for the model; none: a quarter of the cores beside a GPU, at most 4, "
        "and 0 on a CPU",
    )
    eager: bool | None = Field(
        None, description="start without compilation: faster start, slower answers; none: yes on a CPU, no on a GPU"
    )
    trust_remote_code: bool = Field(
        False, description="run Python code that comes with the model; only if you trust its authors"
    )


class QwenOptions(VllmOptions):
    """Qwen2.5-VL 3B, the paper's model."""

    model: str = Field("Qwen/Qwen2.5-VL-3B-Instruct", description=MODEL)


class Qwen7BOptions(VllmOptions):
    """Qwen2.5-VL 7B."""

    model: str = Field("Qwen/Qwen2.5-VL-7B-Instruct", description=MODEL)


class Qwen3Options(VllmOptions):
    """Qwen3-VL 4B."""

    model: str = Field("Qwen/Qwen3-VL-4B-Instruct", description=MODEL)


class MiniCpmOptions(VllmOptions):
    """MiniCPM-V 2.6."""

    needs_remote_code: ClassVar[bool] = True
    model: str = Field("openbmb/MiniCPM-V-2_6", description=MODEL)


class LlavaOptions(VllmOptions):
    """LLaVA 1.5 7B."""

    model: str = Field("llava-hf/llava-1.5-7b-hf", description=MODEL)


class SmolVlm256MOptions(VllmOptions):
    """SmolVLM2 256M."""

    model: str = Field("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", description=MODEL)


class SmolVlm500MOptions(VllmOptions):
    """SmolVLM2 500M."""

    model: str = Field("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", description=MODEL)


class Qwen35Options(VllmOptions):
    """Qwen3.5 4B."""

    model: str = Field("Qwen/Qwen3.5-4B", description=MODEL)


class InternVl35Options(VllmOptions):
    """InternVL3.5 4B."""

    model: str = Field("OpenGVLab/InternVL3_5-4B-HF", description=MODEL)


class MiniCpm46Options(VllmOptions):
    """MiniCPM-V 4.6."""

    model: str = Field("openbmb/MiniCPM-V-4.6", description=MODEL)


class Gemma4Options(VllmOptions):
    """Gemma 4 E2B."""

    model: str = Field("google/gemma-4-E2B-it", description=MODEL)


class Lfm2Options(VllmOptions):
    """LFM2-VL 1.6B."""

    model: str = Field("LiquidAI/LFM2-VL-1.6B", description=MODEL)


class Glm46VOptions(VllmOptions):
    """GLM-4.6V-Flash."""

    model: str = Field("zai-org/GLM-4.6V-Flash", description=MODEL)
