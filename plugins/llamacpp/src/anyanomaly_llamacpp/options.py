"""Options of the backend ``gguf``; a preset is a subclass with other defaults."""

from __future__ import annotations

from pydantic import Field

from anyanomaly.api import Download
from anyanomaly.kit import Device, HubModelOptions, PixelOptions, ThinkingOptions, hub_downloads

MODEL = "a GGUF file, or hub/repo:file.gguf"


class GgufOptions(ThinkingOptions, PixelOptions, HubModelOptions):
    """Weights, device, threads, context and pixel limits."""

    model: str = Field("", description=MODEL)
    mmproj: str = Field(
        "", description="the model's projector (mmproj), named like the model; empty: the one beside the model"
    )
    device: Device = "auto"
    gpu_layers: int = Field(-1, ge=-1, le=10_000, description="layers of the language model on the GPU; -1: all")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads; 0: one per core that this process may use")
    context_size: int = Field(
        0, ge=0, description="most tokens of one question with its images and answer; 0: as many as the questions need"
    )
    chunk_tokens: int = Field(
        512, ge=128, le=65_536, description="tokens of a question that are decoded in one batch; more take more memory"
    )
    batch_size: int = Field(
        32,
        ge=1,
        le=65_536,
        description="questions to choose from, so that those about the same images follow each other and evaluate them "
        "once; texts times contexts is enough",
    )

    def downloads(self) -> tuple[Download, ...]:
        """Return the files on the hub; a projector that no option names comes from the model's repository."""
        return (*super().downloads(), *hub_downloads(self.mmproj, self.revision, "mmproj"))


class QwenOptions(GgufOptions):
    """Qwen2.5-VL 3B, the paper's model, in 4 bits."""

    model: str = Field("ggml-org/Qwen2.5-VL-3B-Instruct-GGUF:Qwen2.5-VL-3B-Instruct-Q4_K_M.gguf", description=MODEL)


class MiniCpmOptions(GgufOptions):
    """MiniCPM-V 2.6 in 4 bits."""

    model: str = Field("openbmb/MiniCPM-V-2_6-gguf:ggml-model-Q4_K_M.gguf", description=MODEL)


class SmolVlmOptions(GgufOptions):
    """SmolVLM2 2.2B in 4 bits."""

    model: str = Field("ggml-org/SmolVLM2-2.2B-Instruct-GGUF:SmolVLM2-2.2B-Instruct-Q4_K_M.gguf", description=MODEL)


class Qwen3Options(GgufOptions):
    """Qwen3-VL 4B in 4 bits."""

    model: str = Field("Qwen/Qwen3-VL-4B-Instruct-GGUF:Qwen3VL-4B-Instruct-Q4_K_M.gguf", description=MODEL)


class Qwen35Options(GgufOptions):
    """Qwen3.5 4B in 4 bits."""

    model: str = Field("unsloth/Qwen3.5-4B-GGUF:Qwen3.5-4B-Q4_K_M.gguf", description=MODEL)


class InternVl35Options(GgufOptions):
    """InternVL3.5 4B in 4 bits."""

    model: str = Field(
        "bartowski/OpenGVLab_InternVL3_5-4B-GGUF:OpenGVLab_InternVL3_5-4B-Q4_K_M.gguf", description=MODEL
    )


class MiniCpm46Options(GgufOptions):
    """MiniCPM-V 4.6 in 4 bits."""

    model: str = Field("openbmb/MiniCPM-V-4_6-gguf:MiniCPM-V-4_6-Q4_K_M.gguf", description=MODEL)


class Gemma4Options(GgufOptions):
    """Gemma 4 E2B in 4 bits."""

    model: str = Field("unsloth/gemma-4-E2B-it-GGUF:gemma-4-E2B-it-Q4_K_M.gguf", description=MODEL)


class SmolVlm256mOptions(GgufOptions):
    """SmolVLM2 256M in 8 bits."""

    model: str = Field(
        "ggml-org/SmolVLM2-256M-Video-Instruct-GGUF:SmolVLM2-256M-Video-Instruct-Q8_0.gguf", description=MODEL
    )


class SmolVlm500mOptions(GgufOptions):
    """SmolVLM2 500M in 8 bits."""

    model: str = Field(
        "ggml-org/SmolVLM2-500M-Video-Instruct-GGUF:SmolVLM2-500M-Video-Instruct-Q8_0.gguf", description=MODEL
    )


class Lfm2Options(GgufOptions):
    """LFM2-VL 1.6B in 8 bits."""

    model: str = Field("LiquidAI/LFM2-VL-1.6B-GGUF:LFM2-VL-1.6B-Q8_0.gguf", description=MODEL)


class Glm46vOptions(GgufOptions):
    """GLM-4.6V-Flash 9B in 4 bits."""

    model: str = Field("ggml-org/GLM-4.6V-Flash-GGUF:GLM-4.6V-Flash-Q4_K_M.gguf", description=MODEL)
