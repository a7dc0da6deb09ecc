"""Weights into modules, strictly: what is unknown, missing or of another size is an error, never a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from anyanomaly.errors import BackendError
from anyanomaly_transformers.errors import translate_errors
from anyanomaly_transformers.loading import placement_settings, quiet_logs, resolve_device
from anyanomaly_transformers.options import WeightsOptions
from anyanomaly_transformers.prefix.attention import LLAMA_ATTENTION, register_attention

if TYPE_CHECKING:
    from torch import Tensor, nn

M = TypeVar("M", bound="nn.Module")


def build_empty(make: Callable[[], M]) -> M:
    """Return the module that ``make`` makes, its weights not initialised: `fill` gives them."""
    from transformers.initialization import no_init_weights

    with no_init_weights():
        return make()


def rename_tensors(tensors: Mapping[str, Tensor], rename: Callable[[str], str | None]) -> dict[str, Tensor]:
    """Return ``tensors`` under the names that ``rename`` gives; those it gives None are left out."""
    return {new: tensors[old] for old in tensors if (new := rename(old)) is not None}


def load_weights(
    module: nn.Module, tensors: Mapping[str, Tensor], *, what: str, device: str = "cpu", dtype: Any = None
) -> None:
    """Give ``module`` its weights, one tensor after the other, on ``device``; floating ones as ``dtype``.

    :param what: names the module in messages, for example ``"the image tower"``.
    :param dtype: None: that of ``module``.
    :raises BackendError: when ``tensors`` are not exactly those of ``module``.
    """
    from torch import nn

    check_weights(module, tensors, what)
    with translate_errors(what):
        shared: dict[int, nn.Parameter] = {}  # tied weights stay one
        for name, old in list(module.state_dict(keep_vars=True).items()):
            if name not in tensors:
                continue
            new = tensors[name].to(device, dtype if old.is_floating_point() else old.dtype)
            owner, _, leaf = name.rpartition(".")
            if isinstance(old, nn.Parameter):
                new = shared.setdefault(id(old), nn.Parameter(new, requires_grad=False))
            setattr(module.get_submodule(owner), leaf, new)
        _retie(module, shared)
        module.to(device).eval().requires_grad_(False)  # buffers that no checkpoint holds come along


def check_weights(module: nn.Module, tensors: Mapping[str, Tensor], what: str) -> None:
    """:raises BackendError: when ``tensors`` are not exactly those of ``module``, in names and shapes."""
    own = module.state_dict(keep_vars=True)
    given = {id(own[name]) for name in own if name in tensors}
    lacking = [name for name, value in own.items() if id(value) not in given]
    unknown = [name for name in tensors if name not in own]
    if lacking:
        raise BackendError(f"The weights of {what} lack {_some(lacking)}, and it would answer at random. {_WRONG}")
    if unknown:
        raise BackendError(f"The weights of {what} hold {_some(unknown)} that it has no place for. {_WRONG}")
    for name, value in own.items():
        if name in tensors and (shape := tuple(tensors[name].shape)) != tuple(value.shape):
            raise BackendError(
                f"The weights of {what} do not fit its configuration: {name!r} is {shape} in the file and "
                f"{tuple(value.shape)} by the configuration. {_WRONG}"
            )


_WRONG = "It is another model, or a file of it is wrong."


def _some(names: Iterable[str]) -> str:
    first, *others = sorted(names)
    return f"{first!r} and {len(others)} more" if others else repr(first)


def _retie(module: nn.Module, shared: Mapping[int, nn.Parameter]) -> None:
    """Give the second name of a tied weight what its first got."""
    for owner in module.modules():
        for leaf, value in list(owner._parameters.items()):
            if id(value) in shared:
                owner._parameters[leaf] = shared[id(value)]


def load_language_model(kind: Any, config: Any, tensors: Mapping[str, Tensor], options: WeightsOptions) -> Any:
    """Return the causal language model ``kind(config)`` with ``tensors``, where and as ``options`` say.

    :param kind: a class of transformers, for example ``LlamaForCausalLM``.
    :raises BackendError: when ``tensors`` are not exactly its own, or memory runs out.
    """
    import torch

    # Old checkpoints hold a table of the rotary positions, which follows from the configuration.
    tensors = rename_tensors(tensors, lambda name: None if name.endswith("rotary_emb.inv_freq") else name)
    what = f"the language model of {options.model!r}"
    with quiet_logs(), translate_errors(options.model):
        with torch.device("meta"):
            check_weights(kind(config), tensors, what)
        device = resolve_device(options.device)
        settings = placement_settings(options, device)
        if settings["dtype"] == torch.float32:  # the originals' own way, for their numbers: others round otherwise
            settings["attn_implementation"] = register_attention(LLAMA_ATTENTION)
        model = kind.from_pretrained(None, config=config, state_dict=tensors, **settings)
    return model.eval() if "device_map" in settings else model.eval().to(device)
