"""A plugin of two backends that suit ``auto``, one on a GPU and one on a CPU, each with an option of its own."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from anyanomaly import BackendSpec, hookimpl
from anyanomaly.api import Options
from anyanomaly.specs import AutoChoice
from anyanomaly.testing.fakes import FakeBackend


class GpuOptions(Options):
    """Options of the backend for GPUs."""

    device: str = Field("auto", description="where it runs")
    streams: int = Field(2, description="streams on the GPU")


class CpuOptions(Options):
    """Options of the backend for CPUs."""

    device: str = Field("auto", description="where it runs")
    threads: int = Field(4, description="threads on the CPU")
    seed: int = Field(0, description="seed")


class Engine(FakeBackend):
    """The fake backend, whatever its options."""

    def __init__(self, options: Any) -> None:
        super().__init__(batch_size=8)
        self.options = options


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    return [
        BackendSpec(
            name="engine-gpu",
            summary="Runs on a GPU",
            target=f"{__name__}:Engine",
            options=f"{__name__}:GpuOptions",
            devices=frozenset({"cuda"}),
            auto=(AutoChoice(device="cuda", rank=1000, reason="the engine for GPUs is installed"),),
        ),
        BackendSpec(
            name="engine-cpu",
            summary="Runs on a CPU",
            target=f"{__name__}:Engine",
            options=f"{__name__}:CpuOptions",
            devices=frozenset({"cpu"}),
            auto=(AutoChoice(device="cpu", rank=1000, reason="the engine for CPUs is installed"),),
        ),
    ]
