"""A model before its engine starts: checks, the engine's arguments, the tokenizer and the fingerprint."""

from __future__ import annotations

from typing import IO, Any, NamedTuple

from anyanomaly_transformers.api import choice_encoder, limit_pixels, thinking_fingerprint

from anyanomaly.errors import UsageError
from anyanomaly.kit import (
    EXAMPLE,
    MODEL,
    ChatThinking,
    ChoiceEncoder,
    check_chat,
    fingerprint,
    folder_or_hub_id,
    model_identity,
    own_code_error,
    release,
    require_model,
    text_part,
)
from anyanomaly_vllm.engine import quiet
from anyanomaly_vllm.errors import translate_errors
from anyanomaly_vllm.options import VllmOptions
from anyanomaly_vllm.sizes import QuerySizer
from anyanomaly_vllm.sizing import ImageSizing, find_sizing
from anyanomaly_vllm.tuning import speed_arguments


class Model(NamedTuple):
    """A model before its weights are loaded."""

    arguments: dict[str, Any]  # of vLLM's engine, without the sizes
    max_tokens: int  # longest query that the model takes, with its answer
    sizer: QuerySizer
    sizing: ImageSizing | None  # of its images; None: only the model's processor can size them
    on_cpu: bool
    encode_choices: ChoiceEncoder
    revision: str  # a hub id with its commit, or a digest of a folder
    fingerprint: str


def inspect_model(options: VllmOptions, log: IO[bytes]) -> Model:
    """Check the model that ``options`` name and return its settings; its configuration is downloaded when missing.

    :raises UsageError: when the model takes no images, comes with code of its own, or has an unknown architecture.
    :raises MissingRequirement: when it is not on this machine and cannot be downloaded.
    """
    require_model(options.model, backend="vllm", example=MODEL, preset="qwen-vllm")
    name = folder_or_hub_id(options.model)
    if options.needs_remote_code and not options.trust_remote_code:
        raise own_code_error(options.model)
    with quiet(log), translate_errors(options.model, log, running=False):
        from vllm import EngineArgs
        from vllm.platforms import current_platform

        on_cpu = bool(current_platform.is_cpu())
        arguments = _arguments(name, options, on_cpu)
        config = EngineArgs(**arguments).create_model_config()
        if not config.is_multimodal_model:
            raise UsageError(
                f"Model {options.model!r} ({', '.join(config.architectures)}) does not answer questions about images. "
                f"Give a vision-language model, for example {EXAMPLE}."
            )
        if on_cpu:
            arguments |= _cpu_arguments(config, options)
        processor, tokenizer = _load_processor(name, options)
        if options.has_pixel_limits:
            image_processor = getattr(processor, "image_processor", None)
            arguments["mm_processor_kwargs"] = limit_pixels(image_processor, options, f"Model {options.model!r}")
        commit = str(getattr(config.hf_config, "_commit_hash", None) or "")
        revision = model_identity(options.model, commit or options.revision)
        chat = ChatThinking(options.thinking, f"Model {options.model!r}")
        thinking = options.thinking if processor is None else thinking_fingerprint(processor, chat)
        return Model(
            arguments,
            config.max_model_len,
            QuerySizer(processor, tokenizer, chat),
            find_sizing(processor),
            on_cpu,
            choice_encoder(tokenizer),
            revision,
            _fingerprint(options, arguments["dtype"], config.quantization, revision, thinking),
        )


def _arguments(name: str, options: VllmOptions, on_cpu: bool) -> dict[str, Any]:
    dtype = options.dtype
    if dtype == "auto":
        dtype = "float32" if on_cpu else "bfloat16"
    eager = on_cpu if options.eager is None else options.eager
    arguments: dict[str, Any] = {
        **speed_arguments(options, on_cpu=on_cpu, eager=eager),
        "model": name,
        "revision": options.revision,
        "tokenizer_revision": options.revision,
        "trust_remote_code": options.trust_remote_code,
        "dtype": dtype,
        "tensor_parallel_size": options.tensor_parallel,
        "gpu_memory_utilization": options.memory_share,
        "enforce_eager": eager,
        "enable_prefix_caching": True,
        "generation_config": "vllm",  # without the checkpoint's sampling defaults
        "logprobs_mode": "raw_logprobs",
    }
    if options.quantization:
        arguments["quantization"] = options.quantization
    if options.kv_cache_gib is not None or on_cpu:
        arguments["kv_cache_memory_bytes"] = int((options.kv_cache_gib or 2) * 2**30)
    return arguments


def _cpu_arguments(config: Any, options: VllmOptions) -> dict[str, Any]:
    """Return the engine's arguments that some architectures need on a CPU.

    :param config: vLLM's configuration of the model.
    :raises UsageError: when the CPU engine does not compute the model, or not in the precision that the user named.
    """
    if config.is_mm_prefix_lm:
        raise UsageError(
            f"vLLM on a CPU computes model {options.model!r} wrongly: it does not let the tokens of an image see each "
            "other. Use a GPU, or the backend transformers."
        )
    text = config.hf_text_config
    arguments: dict[str, Any] = {}
    if "linear_attention" in (getattr(text, "layer_types", None) or ()):  # gated delta nets, as in Qwen3.5
        if options.dtype not in {"auto", "bfloat16"}:
            raise UsageError(
                f"vLLM computes model {options.model!r} in bfloat16 only on a CPU, not in {options.dtype}. "
                "Remove --backend.dtype."
            )
        arguments["dtype"] = "bfloat16"
    if text.model_type == "lfm2":
        # Its rotary positions reach the CPU kernel in a shape that the kernel misreads; those in torch are right.
        arguments["compilation_config"] = {"custom_ops": ["all", "-rotary_embedding"]}
    return arguments


def _load_processor(name: str, options: VllmOptions) -> tuple[Any, Any]:
    """Return the processor, None when only vLLM's own code can use it, and the tokenizer."""
    from transformers import AutoProcessor, AutoTokenizer

    source = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
    processor = AutoProcessor.from_pretrained(name, **source)
    check_chat(getattr(processor, "chat_template", None), [{"role": "user", "content": [text_part("?")]}], {})
    if getattr(processor, "image_processor", None) is None or not getattr(processor, "chat_template", None):
        return None, AutoTokenizer.from_pretrained(name, **source)
    return processor, processor.tokenizer


def _fingerprint(options: VllmOptions, dtype: str, quantization: str | None, revision: str, thinking: str) -> str:
    """Return the fingerprint: weights, precision, pixel limits, thinking and release."""
    import vllm

    return fingerprint(
        "vllm",
        revision,
        dtype=dtype,
        quantization=quantization,
        pixels=options.pixel_range,
        thinking=thinking,
        vllm=release(vllm.__version__),
    )
