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
    gpu_layers: int = Field(-1, ge=-1, description="layers of the language model on the GPU; -1: all")
    threads: int = Field(0, ge=0, description="CPU threads; 0: one per core that this process may use")
    context_size: int = Field(
        0, ge=0, description="most tokens of one question with its images and answer; 0: as many as the questions need"
    )
    chunk_tokens: int = Field(
        512, ge=128, description="tokens of a question that are decoded in one batch; more take more memory"
    )
    batch_size: int = Field(
        16, ge=1, description="questions sorted together, so that those about the same images share their prefill"
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
