"""Options of the backend ``transformers``; a preset is a subclass with other defaults."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from anyanomaly.api import Options

MODEL = "a hub id such as Qwen/Qwen2.5-VL-3B-Instruct, or a folder"


class WeightsOptions(Options):
    """What decides which weights answer, and how they run: what all backends of this package have."""

    model: str = Field("", description=MODEL)
    revision: str = Field("main", description="branch, tag or commit of a hub model")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="precision of the weights; auto: bfloat16 on a GPU, float32 on a CPU"
    )
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or cuda:N")
    device_map: str = Field(
        "", description="spread the weights over several devices, for example auto; needs accelerate; empty: one device"
    )
    batch_size: int = Field(8, ge=1, description="queries in one forward pass")
    quantization: Literal["", "4bit", "8bit"] = Field(
        "", description="shrink the weights while loading; needs bitsandbytes; empty: as they are"
    )


class TransformersOptions(WeightsOptions):
    """What image-text-to-text models have beside."""

    attention: Literal["auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3"] = Field(
        "auto", description="attention implementation; auto: what transformers takes by default"
    )
    min_pixels: int | None = Field(
        None, ge=1, description="enlarge images below this many pixels (models that size images by area)"
    )
    max_pixels: int | None = Field(
        None, ge=1, description="shrink images above this many pixels (models that size images by area)"
    )
    trust_remote_code: bool = Field(
        False, description="run Python code that comes with the model; only for authors whom you trust"
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.min_pixels is not None and self.max_pixels is not None and self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels {self.min_pixels} is above max_pixels {self.max_pixels}")
        return self


class QwenOptions(TransformersOptions):
    """Qwen2.5-VL 3B, the paper's model."""

    model: str = Field("Qwen/Qwen2.5-VL-3B-Instruct", description=MODEL)


class Qwen3Options(TransformersOptions):
    """Qwen3-VL 4B."""

    model: str = Field("Qwen/Qwen3-VL-4B-Instruct", description=MODEL)


class InternVLOptions(TransformersOptions):
    """InternVL3 2B."""

    model: str = Field("OpenGVLab/InternVL3-2B-hf", description=MODEL)


class GemmaOptions(TransformersOptions):
    """Gemma 3 4B."""

    model: str = Field("google/gemma-3-4b-it", description=MODEL)


class SmolVLMOptions(TransformersOptions):
    """SmolVLM2 2.2B."""

    model: str = Field("HuggingFaceTB/SmolVLM2-2.2B-Instruct", description=MODEL)
