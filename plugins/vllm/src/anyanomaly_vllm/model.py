"""A model before its engine runs: that it is there, sees images and may run; how it is measured and identified."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, NamedTuple

from anyanomaly_transformers.identity import folder_hash

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly_vllm.engine import quiet
from anyanomaly_vllm.faults import code_refused, translated
from anyanomaly_vllm.options import VllmOptions
from anyanomaly_vllm.sizes import Measure, pixel_limits


class Model(NamedTuple):
    """What is known of a model without reading its weights."""

    arguments: dict[str, Any]  # of vLLM's engine, all but the sizes
    longest: int  # tokens that the model itself takes
    measure: Measure
    fingerprint: str


def examine(options: VllmOptions, log: IO[bytes]) -> Model:
    """Look at the model that ``options`` name.

    :raises UsageError: when it cannot work: a model without vision, code of its own, an architecture unknown to vLLM.
    :raises MissingRequirement: when the model cannot be had.
    """
    name = _resolved(options.model)
    if options.brings_code and not options.trust_remote_code:
        raise code_refused(options.model)
    with quiet(log), translated(options.model, log, running=False):
        from vllm import EngineArgs
        from vllm.platforms import current_platform

        on_cpu = bool(current_platform.is_cpu())
        arguments = _arguments(name, options, on_cpu)
        config = EngineArgs(**arguments).create_model_config()
        if not config.is_multimodal_model:
            raise UsageError(
                f"Model {options.model!r} ({', '.join(config.architectures)}) does not answer questions about images. "
                "Give a vision-language model, for example Qwen/Qwen2.5-VL-3B-Instruct."
            )
        processor, tokenizer = _processor(name, options)
        arguments["mm_processor_kwargs"] = pixel_limits(processor, options) or None
        commit = str(getattr(config.hf_config, "_commit_hash", None) or "")
        identity = _fingerprint(options, config, commit)
        return Model(arguments, config.max_model_len, Measure(processor, tokenizer), identity)


def _resolved(model: str) -> str:
    """Return the folder's path, or the hub id as it is."""
    if not model:
        raise UsageError(
            "Backend 'vllm' needs a model. Use --backend.model with a hub id such as Qwen/Qwen2.5-VL-3B-Instruct or a "
            "folder, or a preset such as --backend qwen-vllm."
        )
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UsageError(f"The folder {model!r} holds no config.json. Give the folder of the model itself.")
        return str(folder)
    if model.startswith((".", "~", "/")) or model.count("/") != 1 or "\\" in model:
        raise MissingRequirement(
            f"There is no model folder {model!r}. "
            "Give an existing folder, or a hub id such as Qwen/Qwen2.5-VL-3B-Instruct."
        )
    return model


def _arguments(name: str, options: VllmOptions, on_cpu: bool) -> dict[str, Any]:
    precision = options.dtype
    if precision == "auto":
        precision = "float32" if on_cpu else "bfloat16"
    arguments: dict[str, Any] = {
        "model": name,
        "revision": options.revision,
        "tokenizer_revision": options.revision,
        "trust_remote_code": options.trust_remote_code,
        "dtype": precision,
        "tensor_parallel_size": options.tensor_parallel,
        "gpu_memory_utilization": options.memory_share,
        "enforce_eager": on_cpu if options.eager is None else options.eager,
        "enable_prefix_caching": True,
        "generation_config": "vllm",  # not the checkpoint's own sampling defaults
        "logprobs_mode": "raw_logprobs",
    }
    if options.quantization:
        arguments["quantization"] = options.quantization
    if options.kv_cache_gib is not None or on_cpu:
        arguments["kv_cache_memory_bytes"] = int((options.kv_cache_gib or 2) * 2**30)
    return arguments


def _processor(name: str, options: VllmOptions) -> tuple[Any, Any]:
    """Return the processor, or None where only vLLM's own code can use it, and the tokenizer."""
    from transformers import AutoProcessor, AutoTokenizer

    where = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
    processor = AutoProcessor.from_pretrained(name, **where)
    if getattr(processor, "image_processor", None) is None or not getattr(processor, "chat_template", None):
        return None, AutoTokenizer.from_pretrained(name, **where)
    return processor, processor.tokenizer


def _fingerprint(options: VllmOptions, config: Any, commit: str) -> str:
    """Return a line that two runs share exactly when the same weights run in the same way."""
    import vllm

    folder = Path(options.model).expanduser()
    weights = folder_hash(folder) if folder.is_dir() else f"{options.model}@{commit or options.revision}"
    parts = {
        "dtype": str(config.dtype).removeprefix("torch."),
        "quantization": config.quantization or "",
        "pixels": f"{options.min_pixels or ''}-{options.max_pixels or ''}".strip("-"),
        "vllm": ".".join(vllm.__version__.split(".")[:2]),
    }
    return "/".join(["vllm", weights, *(f"{name}={value}" for name, value in parts.items() if value)])
