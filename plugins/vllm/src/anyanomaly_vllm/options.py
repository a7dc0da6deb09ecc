"""Options of the backend ``vllm``; a preset is a subclass with other defaults."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from anyanomaly.api import Options

MODEL = "a hub id such as Qwen/Qwen2.5-VL-3B-Instruct, or a folder"


class VllmOptions(Options):
    """What decides which weights answer, and how they run."""

    brings_code: ClassVar[bool] = False
    """Whether the preset's model needs Python code of its authors."""

    model: str = Field("", description=MODEL)
    revision: str = Field("main", description="branch, tag or commit of a hub model")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="precision of the weights; auto: bfloat16 on a GPU, float32 on a CPU"
    )
    quantization: str = Field(
        "", description="vLLM's name of a quantisation, such as fp8 or bitsandbytes; empty: as the checkpoint says"
    )
    tensor_parallel: int = Field(1, ge=1, description="GPUs that share the weights")
    memory_share: float = Field(0.9, gt=0, le=1, description="share of the GPU's memory that the engine may take")
    kv_cache_gib: float | None = Field(
        None, gt=0, description="GiB for keys and values; none: what memory_share leaves on a GPU, 2 on a CPU"
    )
    max_model_len: int | None = Field(
        None, ge=1, description="longest query with its answer, in tokens; none: from the queries of the run"
    )
    min_pixels: int | None = Field(
        None, ge=1, description="enlarge images below this many pixels (models that size images by area)"
    )
    max_pixels: int | None = Field(
        None, ge=1, description="shrink images above this many pixels (models that size images by area)"
    )
    batch_size: int = Field(256, ge=1, description="queries handed to the engine at once")
    eager: bool | None = Field(
        None, description="start without compiling: sooner ready, slower answers; none: on a CPU yes, on a GPU no"
    )
    trust_remote_code: bool = Field(
        False, description="run Python code that comes with the model; only for authors whom you trust"
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.min_pixels is not None and self.max_pixels is not None and self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels {self.min_pixels} is above max_pixels {self.max_pixels}")
        return self


class QwenOptions(VllmOptions):
    """Qwen2.5-VL 3B, the paper's model."""

    model: str = Field("Qwen/Qwen2.5-VL-3B-Instruct", description=MODEL)


class Qwen7BOptions(VllmOptions):
    """Qwen2.5-VL 7B."""

    model: str = Field("Qwen/Qwen2.5-VL-7B-Instruct", description=MODEL)


class Qwen3Options(VllmOptions):
    """Qwen3-VL 4B."""

    model: str = Field("Qwen/Qwen3-VL-4B-Instruct", description=MODEL)


class MiniCPMOptions(VllmOptions):
    """MiniCPM-V 2.6."""

    brings_code: ClassVar[bool] = True
    model: str = Field("openbmb/MiniCPM-V-2_6", description=MODEL)


class LlavaOptions(VllmOptions):
    """LLaVA 1.5 7B."""

    model: str = Field("llava-hf/llava-1.5-7b-hf", description=MODEL)
