"""Weights into modules, strictly: a tensor that is unknown, missing or of another shape is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """Return the module that ``make`` makes, without initialising its weights: `load_weights` sets them."""
    from transformers.initialization import no_init_weights

    with no_init_weights():
        return make()


def rename_tensors(tensors: Mapping[str, Tensor], rename: Callable[[str], str | None]) -> Mapping[str, Tensor]:
    """Return ``tensors`` under the names that ``rename`` returns; a tensor for which it returns None is dropped.

    Each is read on access, as it is in ``tensors``: two passes over them do not hold all of them.
    """
    return _RenamedTensors(tensors, {new: old for old in tensors if (new := rename(old)) is not None})


class _RenamedTensors(Mapping[str, "Tensor"]):
    def __init__(self, tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> None:
        self._tensors, self._names = tensors, names

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[self._names[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _UnreadTensor:
    """A tensor that `from_pretrained` reads when its turn comes, as it reads those of its own files."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str) -> None:
        self._tensors, self._name = tensors, name

    def __getitem__(self, index: Any) -> Tensor:
        return self._tensors[self._name][index]


def load_weights(
    module: nn.Module, tensors: Mapping[str, Tensor], *, label: str, device: str = "cpu", dtype: Any = None
) -> None:
    """Set the weights of ``module``, one tensor after the other, and move it to ``device``.

    :param label: the module's name in messages, for example ``"the image tower"``.
    :param dtype: precision of floating-point tensors; None: that of ``module``.
    :raises BackendError: when ``tensors`` are not exactly those of ``module``.
    """
    from torch import nn

    check_weights(module, tensors, label)
    with translate_errors(label):
        shared: dict[int, nn.Parameter] = {}  # tied weights stay tied
        for name, old in list(module.state_dict(keep_vars=True).items()):
            if name not in tensors:
                continue
            new = tensors[name].to(device, dtype if old.is_floating_point() else old.dtype)
            owner, _, leaf = name.rpartition(".")
            if isinstance(old, nn.Parameter):
                new = shared.setdefault(id(old), nn.Parameter(new, requires_grad=False))
            setattr(module.get_submodule(owner), leaf, new)
        _retie(module, shared)
        module.to(device).eval().requires_grad_(False)  # with the buffers, which no checkpoint holds


def check_weights(module: nn.Module, tensors: Mapping[str, Tensor], label: str) -> None:
    """Check that ``tensors`` are exactly those of ``module``, in names and shapes.

    :raises BackendError: when they are not.
    """
    parameters = module.state_dict(keep_vars=True)
    set_ids = {id(parameters[name]) for name in parameters if name in tensors}  # tied weights have one id
    missing = [name for name, value in parameters.items() if id(value) not in set_ids]
    unknown = [name for name in tensors if name not in parameters]
    if missing:
        raise BackendError(
            f"The weights of {label} lack {_summarise(missing)}, so its answers would be random. {_WRONG_FILE}"
        )
    if unknown:
        raise BackendError(f"The weights of {label} hold {_summarise(unknown)}, which it does not have. {_WRONG_FILE}")
    for name, value in parameters.items():
        if name in tensors and (shape := tuple(tensors[name].shape)) != tuple(value.shape):
            raise BackendError(
                f"The weights of {label} do not fit its configuration: {name!r} is {shape} in the file and "
                f"{tuple(value.shape)} by the configuration. {_WRONG_FILE}"
            )


_WRONG_FILE = "It is another model, or one of its files is wrong. Download the complete checkpoint."


def _summarise(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{min(names)!r}{more}"


def _retie(module: nn.Module, shared: Mapping[int, nn.Parameter]) -> None:
    """Set the other names of a tied weight to the tensor of its first name."""
    for owner in module.modules():
        for leaf, value in list(owner._parameters.items()):
            if id(value) in shared:
                owner._parameters[leaf] = shared[id(value)]


def load_language_model(kind: Any, config: Any, tensors: Mapping[str, Tensor], options: WeightsOptions) -> Any:
    """Return a causal language model with its weights, on the device and in the precision of the options.

    :param kind: its class in transformers, for example ``LlamaForCausalLM``.
    :param config: its configuration.
    :raises BackendError: when ``tensors`` are not exactly its weights, or memory runs out.
    """
    import torch

    # Old checkpoints hold the frequencies of the rotary position embedding, which follow from the configuration.
    tensors = rename_tensors(tensors, lambda name: None if name.endswith("rotary_emb.inv_freq") else name)
    label = f"the language model of {options.model!r}"
    with quiet_logs(), translate_errors(options.model):
        with torch.device("meta"):
            check_weights(kind(config), tensors, label)
        device = resolve_device(options.device)
        settings = placement_settings(options, device)
        if settings["dtype"] == torch.float32:  # the originals' attention, for equal numbers
            settings["attn_implementation"] = register_attention(LLAMA_ATTENTION)
        unread = {name: _UnreadTensor(tensors, name) for name in tensors}
        model = kind.from_pretrained(None, config=config, state_dict=unread, **settings)
    return model.eval() if "device_map" in settings else model.eval().to(device)
