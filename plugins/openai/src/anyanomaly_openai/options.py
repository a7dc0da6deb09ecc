"""Options of the backend ``openai``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anyanomaly.kit import ThinkingOptions

Kind = Literal["vllm", "sglang", "llama.cpp", "ollama", "other"]


class OpenAiOptions(ThinkingOptions):
    """Address and model of the server, and settings of the requests."""

    base_url: str = Field(
        "http://127.0.0.1:8000/v1",
        pattern=r"^https?://",
        repr=False,  # it may hold a password
        description="address of the server, up to and with /v1",
    )
    model: str = Field("", description="name of the model on the server; empty: the only one it has")
    server: Literal["auto", "vllm", "sglang", "llama.cpp", "ollama", "other"] = Field(
        "auto",
        description="kind of server, which decides how log-probabilities are requested; auto: from its list of models",
    )
    api_key_env: str = Field(
        "", description="environment variable that holds the key, for example OPENAI_API_KEY; empty: send no key"
    )
    max_inflight: int = Field(8, ge=1, le=512, description="requests in flight at once")
    timeout_seconds: float = Field(
        120.0, gt=0, le=86_400, description="longest time from a request to the end of its response, seconds"
    )
    max_response_mib: float = Field(
        4.0, gt=0, le=256, description="largest response that is read, MiB, also after decompression"
    )
    retries: int = Field(4, ge=0, le=100, description="retries of a request after a temporary failure")
    top_logprobs: int = Field(
        20, ge=1, description="likeliest tokens to request from a server that cannot be asked for chosen ones"
    )
    image_format: Literal["png", "jpeg"] = Field(
        "png", description="image format in requests: png is exact, jpeg is smaller"
    )
    ca_file: str = Field("", description="certificate authorities to trust, a PEM file; empty: those of the system")
