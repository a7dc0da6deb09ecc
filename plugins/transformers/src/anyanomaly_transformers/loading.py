"""From a model's name to a loaded model and processor, with every way this fails in a sentence of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly.install import install_command
from anyanomaly.kit import EXAMPLE, MODEL, ChoiceEncoder, PixelOptions, folder_or_hub_id, no_area_error, require_model
from anyanomaly_transformers.errors import translate_errors
from anyanomaly_transformers.options import TransformersOptions, WeightsOptions


class Loaded(NamedTuple):
    """A model that answers, and what turns queries into its tensors."""

    model: Any
    processor: Any
    encode_choices: ChoiceEncoder
    commit: str  # of a hub model; empty: a folder


def load(options: TransformersOptions) -> Loaded:
    """Load the model that ``options`` name.

    :raises UsageError: when the options cannot work: no such device, a model without vision, code of its own.
    :raises MissingRequirement: when weights or a package are missing.
    :raises BackendError: when memory runs out, or the files are broken.
    """
    require_model(options.model, backend="transformers", example=MODEL, preset="qwen-hf")
    name = folder_or_hub_id(options.model)
    device = resolve_device(options.device)
    check_packages(options)
    with quiet_logs(), translate_errors(options.model):
        from transformers import AutoConfig

        where = {"revision": options.revision, "trust_remote_code": options.trust_remote_code}
        config = AutoConfig.from_pretrained(name, **where)
        _check_takes_images(config, options)
        processor = _processor(name, options, where)
        model = _model(name, options, device, where)
    return Loaded(
        reset_generation_config(model, processor.tokenizer),
        processor,
        choice_encoder(processor.tokenizer),
        commit=str(getattr(config, "_commit_hash", None) or ""),
    )


def choice_encoder(tokenizer: Any) -> ChoiceEncoder:
    """Return what gives the tokens of allowed answers with a tokenizer of transformers."""
    return ChoiceEncoder(lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"]))


def resolve_device(name: str) -> str:
    """Return the device that ``name`` means here.

    :raises UsageError: when it is not there.
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
                f"Device {name!r} is not there: torch {torch.__version__} finds {torch.cuda.device_count()} such. "
                "Use --backend.device auto, or install a CUDA build of torch."
            )
    if name == "mps" and not torch.backends.mps.is_available():
        raise UsageError("Device 'mps' is not there: it needs a Mac with Apple silicon. Use --backend.device auto.")
    return name


def _check_takes_images(config: Any, options: TransformersOptions) -> None:
    """Refuse a model that does not take images and a conversation."""
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    own_code = options.trust_remote_code and "AutoModelForImageTextToText" in (getattr(config, "auto_map", None) or {})
    if (type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and not own_code) or config.is_encoder_decoder:
        raise UsageError(
            f"Model {options.model!r} (type {config.model_type}) does not answer questions about images. "
            f"Give an image-text-to-text chat model, for example {EXAMPLE}."
        )


def _processor(name: str, options: TransformersOptions, where: dict[str, Any]) -> Any:
    from transformers import AutoProcessor

    processor = AutoProcessor.from_pretrained(name, **where)
    images = getattr(processor, "image_processor", None)
    if images is None or getattr(processor, "tokenizer", None) is None:
        raise UsageError(f"Model {options.model!r} comes without an image processor or tokenizer. Use its full folder.")
    if not processor.chat_template:
        raise UsageError(
            f"Model {options.model!r} has no chat template, so questions cannot be put to it. "
            "Use the variant tuned to follow instructions."
        )
    if options.has_pixel_limits:
        limit_pixels(images, options, f"Model {options.model!r}")
    if processor.tokenizer.pad_token_id is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return processor


def limit_pixels(image_processor: Any, options: PixelOptions, model: str) -> tuple[int, int]:
    """Set the user's limits of an image's area in ``image_processor``, and return them: least and most pixels.

    :param model: starts the message: "Model 'owner/name'".
    :raises UsageError: when the model does not size images by their area.
    """
    size = dict(getattr(image_processor, "size", None) or {})
    if not hasattr(image_processor, "merge_size") or "longest_edge" not in size:
        raise no_area_error(model)
    # The Qwen image processors keep the limits of the area, in pixels, under the names of edges.
    low, high = options.pixel_limits(size["shortest_edge"], size["longest_edge"])
    image_processor.size = size | {"shortest_edge": low, "longest_edge": high}
    return low, high


def _model(name: str, options: TransformersOptions, device: str, where: dict[str, Any]) -> Any:
    from transformers import AutoModelForImageTextToText

    settings = {**placement_settings(options, device), **where}
    if options.attention != "auto":
        settings["attn_implementation"] = options.attention
    model, report = AutoModelForImageTextToText.from_pretrained(name, output_loading_info=True, **settings)
    if missing := sorted(report["missing_keys"]):
        raise BackendError(
            f"The weights of model {options.model!r} lack {len(missing)} tensors, {missing[0]!r} among them, "
            "and would answer at random. Get the complete checkpoint."
        )
    return model.eval() if "device_map" in settings else model.eval().to(device)


def placement_settings(options: WeightsOptions, device: str) -> dict[str, Any]:
    """Return what ``from_pretrained`` needs to put weights where ``options`` say, in their precision."""
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
    """Return the torch dtype that ``options`` ask for on ``device``."""
    import torch

    automatic = "float32" if device == "cpu" else "bfloat16"
    return getattr(torch, automatic if options.dtype == "auto" else options.dtype)


def check_packages(options: WeightsOptions) -> None:
    """:raises MissingRequirement: when ``options`` need a package that is not installed."""
    if options.device_map:
        require_package("accelerate", "--backend.device-map")
    if options.quantization:
        require_package("bitsandbytes", f"--backend.quantization {options.quantization}")
        require_package("accelerate", f"--backend.quantization {options.quantization}")


def reset_generation_config(model: Any, tokenizer: Any) -> Any:
    """Keep, of the checkpoint's own decoding defaults, nothing but the ids of its marks."""
    from transformers import GenerationConfig

    marks = {
        name: own if (own := getattr(model.generation_config, name)) is not None else getattr(tokenizer, name)
        for name in ("bos_token_id", "eos_token_id", "pad_token_id")
    }
    model.generation_config = GenerationConfig(**marks)
    return model


def require_package(distribution: str, option: str) -> None:
    """:raises MissingRequirement: when ``distribution`` is not installed, which ``option`` needs."""
    if find_spec(distribution) is None:
        raise MissingRequirement(f"{option} needs the package {distribution}. Run: {install_command(distribution)}")


@contextmanager
def quiet_logs() -> Iterator[None]:
    """Silence transformers and the hub's client for a while; bars stay where someone watches a download."""
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
