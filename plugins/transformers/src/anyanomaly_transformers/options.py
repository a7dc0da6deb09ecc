"""Options of the backend ``transformers``; a preset is a subclass with other defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anyanomaly.kit import MODEL, Device, HubModelOptions, PixelOptions, Precision, ThinkingOptions


class WeightsOptions(HubModelOptions):
    """Weights, device and precision: options of all backends of this package."""

    dtype: Precision = "auto"
    device: Device = "auto"
    device_map: str = Field(
        "", description="spread the weights over several devices, for example auto; needs accelerate; empty: one device"
    )
    batch_size: int = Field(8, ge=1, le=65_536, description="queries in one forward pass")
    quantization: Literal["", "4bit", "8bit"] = Field(
        "", description="quantise the weights while loading; needs bitsandbytes; empty: no quantisation"
    )


class TransformersOptions(ThinkingOptions, PixelOptions, WeightsOptions):
    """Options of image-text-to-text models."""

    attention: Literal["auto", "sdpa", "eager", "flash_attention_2", "flash_attention_3"] = Field(
        "auto", description="attention implementation; auto: the default of transformers"
    )
    trust_remote_code: bool = Field(
        False, description="run Python code that comes with the model; only if you trust its authors"
    )


class QwenOptions(TransformersOptions):
    """Qwen2.5-VL 3B, the paper's model."""

    model: str = Field("Qwen/Qwen2.5-VL-3B-Instruct", description=MODEL)


class Qwen3Options(TransformersOptions):
    """Qwen3-VL 4B."""

    model: str = Field("Qwen/Qwen3-VL-4B-Instruct", description=MODEL)


class InternVlOptions(TransformersOptions):
    """InternVL3 2B."""

    model: str = Field("OpenGVLab/InternVL3-2B-hf", description=MODEL)


class GemmaOptions(TransformersOptions):
    """Gemma 3 4B."""

    model: str = Field("google/gemma-3-4b-it", description=MODEL)


class SmolVlmOptions(TransformersOptions):
    """SmolVLM2 2.2B."""

    model: str = Field("HuggingFaceTB/SmolVLM2-2.2B-Instruct", description=MODEL)


class SmolVlm256MOptions(TransformersOptions):
    """SmolVLM2 256M."""

    model: str = Field("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", description=MODEL)


class SmolVlm500MOptions(TransformersOptions):
    """SmolVLM2 500M."""

    model: str = Field("HuggingFaceTB/SmolVLM2-500M-Video-Instruct", description=MODEL)


class Qwen35Options(TransformersOptions):
    """Qwen3.5 4B."""

    model: str = Field("Qwen/Qwen3.5-4B", description=MODEL)


class InternVl35Options(TransformersOptions):
    """InternVL3.5 4B."""

    model: str = Field("OpenGVLab/InternVL3_5-4B-HF", description=MODEL)


class MiniCpm46Options(TransformersOptions):
    """MiniCPM-V 4.6."""

    model: str = Field("openbmb/MiniCPM-V-4.6", description=MODEL)


class Gemma4Options(TransformersOptions):
    """Gemma 4 E2B."""

    model: str = Field("google/gemma-4-E2B-it", description=MODEL)


class Lfm2Options(TransformersOptions):
    """LFM2-VL 1.6B."""

    model: str = Field("LiquidAI/LFM2-VL-1.6B", description=MODEL)


class Glm46VOptions(TransformersOptions):
    """GLM-4.6V-Flash."""

    model: str = Field("zai-org/GLM-4.6V-Flash", description=MODEL)
