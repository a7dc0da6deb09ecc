"""Load model and processor that the options name; each failure is an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any, NamedTuple

from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly.install import install_command
from anyanomaly.kit import EXAMPLE, MODEL, ChoiceEncoder, folder_or_hub_id, require_model
from anyanomaly_transformers.errors import translate_errors
from anyanomaly_transformers.options import TransformersOptions, WeightsOptions
from anyanomaly_transformers.pixels import limit_pixels


class Loaded(NamedTuple):
    """A model of transformers on its device, with what prepares its inputs."""

    model: Any
    processor: Any
    encode_choices: ChoiceEncoder
    commit: str  # of a hub model; empty for a folder


def load(options: TransformersOptions) -> Loaded:
    """Load the model that ``options`` name.

    :raises UsageError: when the device is missing, the model takes no images, or the model comes with code of its own.
    :raises MissingRequirement: when weights or a package are missing.
    :raises BackendError: when memory runs out, or the files are broken.
    """
    require_model(options.model, backend="transformers", example=MODEL, preset="qwen-hf")
    name = folder_or_hub_id(options.model)
    device = resolve_device(options.device)
    check_packages(options)
    with quiet_logs(), translate_errors(options.model):
        from transformers import AutoConfig

        source = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
        config = AutoConfig.from_pretrained(name, **source)
        _check_takes_images(config, options)
        processor = _load_processor(name, options, source)
        model = _load_model(name, options, device, source, config)
    return Loaded(
        reset_generation_config(model, processor.tokenizer),
        processor,
        choice_encoder(processor.tokenizer),
        commit=str(getattr(config, "_commit_hash", None) or ""),
    )


def choice_encoder(tokenizer: Any) -> ChoiceEncoder:
    """Return the encoder of allowed answers for a tokenizer of transformers."""
    return ChoiceEncoder(lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"]))


def resolve_device(name: str) -> str:
    """Return the torch device for the option ``device``; ``auto`` prefers a GPU.

    :raises UsageError: when this machine or the installed torch lacks it.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if name.startswith("cuda"):
        index = int(name.partition(":")[2] or 0)
        if index >= torch.cuda.device_count():
            raise UsageError(
                f"Device {name!r} is missing: torch {torch.__version__} has {torch.cuda.device_count()} CUDA devices. "
                "Use --backend.device auto, or install a CUDA build of torch."
            )
    if name == "mps" and not torch.backends.mps.is_available():
        raise UsageError("Device 'mps' is missing: it needs a Mac with Apple silicon. Use --backend.device auto.")
    return name


def _check_takes_images(config: Any, options: TransformersOptions) -> None:
    """Check that a model takes images and a conversation.

    :raises UsageError: when it does not.
    """
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    own_code = options.trust_remote_code and "AutoModelForImageTextToText" in (getattr(config, "auto_map", None) or {})
    if (type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and not own_code) or config.is_encoder_decoder:
        raise UsageError(
            f"Model {options.model!r} (type {config.model_type}) does not answer questions about images. "
            f"Give an image-text-to-text chat model, for example {EXAMPLE}."
        )


def _load_processor(name: str, options: TransformersOptions, source: dict[str, Any]) -> Any:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(name, **source)
    image_processor = getattr(processor, "image_processor", None)
    if image_processor is None or getattr(processor, "tokenizer", None) is None:
        raise UsageError(
            f"Model {options.model!r} has no image processor or no tokenizer. Use the complete checkpoint."
        )
    if not processor.chat_template:
        raise UsageError(
            f"Model {options.model!r} has no chat template, so it cannot answer questions. "
            "Use the variant that was tuned to follow instructions."
        )
    if options.has_pixel_limits:
        limit_pixels(image_processor, options, f"Model {options.model!r}")
    if processor.tokenizer.pad_token_id is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def _load_model(name: str, options: TransformersOptions, device: str, source: dict[str, Any], config: Any) -> Any:
    from transformers import AutoModelForImageTextToText

    settings = {**placement_settings(options, device), **source}
    if options.attention != "auto":
        settings["attn_implementation"] = options.attention
    keeps_mapping = device == "cpu" and not options.quantization and config.dtype == settings["dtype"]
    with nullcontext() if keeps_mapping else _reading_tensors():
        model, report = AutoModelForImageTextToText.from_pretrained(name, output_loading_info=True, **settings)
    if missing := sorted(report["missing_keys"]):
        raise BackendError(
            f"The weights of model {options.model!r} lack {len(missing)} tensors, {missing[0]!r} among them, "
            "so its answers would be random. Download the complete checkpoint."
        )
    return model.eval() if "device_map" in settings else model.eval().to(device)


@contextmanager
def _reading_tensors() -> Iterator[None]:
    """Let transformers read each tensor into memory of its own, as it does on Windows.

    Elsewhere it maps whole files. Pages of a mapped file count as memory of the process until all weights are loaded,
    so weights that are quantised, converted or moved to a GPU would take their size in the file on top.
    """
    from transformers import modeling_utils

    open_mapped: Any = getattr(modeling_utils, "safe_open", None)

    def open_unmapped(path: Any, **settings: Any) -> Any:
        try:
            return open_mapped(path, **settings | {"backend": "pread"})
        except TypeError:  # a release of safetensors that only maps files
            return open_mapped(path, **settings)

    if open_mapped is not None:
        modeling_utils.safe_open = open_unmapped
    try:
        yield
    finally:
        if open_mapped is not None:
            modeling_utils.safe_open = open_mapped


def placement_settings(options: WeightsOptions, device: str) -> dict[str, Any]:
    """Return the arguments of ``from_pretrained`` for device, precision and quantisation."""
    dtype = resolve_dtype(options, device)
    settings: dict[str, Any] = {"dtype": dtype}
    if options.device_map or options.quantization:
        settings["device_map"] = options.device_map or device
    if options.quantization:
        from transformers import BitsAndBytesConfig

        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=options.quantization == "4bit",
            load_in_8bit=options.quantization == "8bit",
            bnb_4bit_compute_dtype=dtype,
        )
    return settings


def resolve_dtype(options: WeightsOptions, device: str) -> Any:
    """Return the torch dtype of the weights on ``device``."""
    import torch

    automatic = "float32" if device == "cpu" else "bfloat16"
    return getattr(torch, automatic if options.dtype == "auto" else options.dtype)


def check_packages(options: WeightsOptions) -> None:
    """Check that the packages that the options need are installed.

    :raises MissingRequirement: when one is missing.
    """
    if options.device_map:
        require_package("accelerate", "--backend.device-map")
    if options.quantization:
        require_package("bitsandbytes", f"--backend.quantization {options.quantization}")
        require_package("accelerate", f"--backend.quantization {options.quantization}")


def reset_generation_config(model: Any, tokenizer: Any) -> Any:
    """Remove the checkpoint's decoding defaults; only its special tokens stay. Return the model.

    The run's sampling must decide alone, whatever the checkpoint's authors recommend.
    """
    from transformers import GenerationConfig

    special_tokens = {}
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        token = getattr(model.generation_config, name)
        special_tokens[name] = getattr(tokenizer, name) if token is None else token
    model.generation_config = GenerationConfig(**special_tokens)
    return model


def free_gpu_memory() -> None:
    """Return the GPU memory that torch keeps for reuse to the system."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def require_package(distribution: str, option: str) -> None:
    """Check that a package is installed.

    :param option: the flag that needs it, for the message.
    :raises MissingRequirement: when it is missing.
    """
    if find_spec(distribution) is None:
        raise MissingRequirement(f"{option} needs the package {distribution}. Run: {install_command(distribution)}")


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Silence the logs of transformers and of the hub's client; progress bars stay on a terminal."""
    import sys

    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    loggers = (logging, hub_logging)
    verbosity, bars = [logger.get_verbosity() for logger in loggers], logging.is_progress_bar_enabled()
    for logger in loggers:
        logger.set_verbosity_error()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level in zip(loggers, verbosity, strict=True):
            logger.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
