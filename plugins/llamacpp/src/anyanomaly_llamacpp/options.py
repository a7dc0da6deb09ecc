"""Options of the backend ``gguf``; a preset is a subclass with other defaults."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from anyanomaly.api import Options

MODEL = "a GGUF file, or hub/repo:file.gguf"


class GGUFOptions(Options):
    """What decides which weights answer, and how they run."""

    model: str = Field("", description=MODEL)
    mmproj: str = Field(
        "", description="the model's projector (mmproj), named like the model; empty: the one beside the model"
    )
    revision: str = Field("main", description="branch, tag or commit of a hub model")
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$", description="auto, cpu, mps, cuda or cuda:N")
    gpu_layers: int = Field(-1, ge=-1, description="layers of the text model on the GPU; -1: all")
    threads: int = Field(0, ge=0, description="CPU threads; 0: one per core that this process may use")
    context_size: int = Field(
        0, ge=0, description="most tokens of one question with its images and answer; 0: what the questions need"
    )
    chunk_tokens: int = Field(
        512, ge=128, description="tokens of a question that are read at once; more take more memory"
    )
    min_pixels: int | None = Field(None, ge=1, description="enlarge images below this many pixels (Qwen models)")
    max_pixels: int | None = Field(None, ge=1, description="shrink images above this many pixels (Qwen models)")
    batch_size: int = Field(
        16, ge=1, description="questions taken together, so that those about one image follow each other"
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.min_pixels is not None and self.max_pixels is not None and self.min_pixels > self.max_pixels:
            raise ValueError(f"min_pixels {self.min_pixels} is above max_pixels {self.max_pixels}")
        return self


class QwenOptions(GGUFOptions):
    """Qwen2.5-VL 3B, the paper's model, in 4 bits."""

    model: str = Field("ggml-org/Qwen2.5-VL-3B-Instruct-GGUF:Qwen2.5-VL-3B-Instruct-Q4_K_M.gguf", description=MODEL)


class MiniCPMOptions(GGUFOptions):
    """MiniCPM-V 2.6 in 4 bits."""

    model: str = Field("openbmb/MiniCPM-V-2_6-gguf:ggml-model-Q4_K_M.gguf", description=MODEL)


class SmolVLMOptions(GGUFOptions):
    """SmolVLM2 2.2B in 4 bits."""

    model: str = Field("ggml-org/SmolVLM2-2.2B-Instruct-GGUF:SmolVLM2-2.2B-Instruct-Q4_K_M.gguf", description=MODEL)
