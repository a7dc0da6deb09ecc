"""Base class of the options of all components."""

from __future__ import annotations

from collections.abc import Mapping, Set
from difflib import get_close_matches
from os.path import expanduser, isdir, isfile
from pathlib import Path
from typing import Annotated, Any, Self, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator

from anyanomaly.api.downloads import Download
from anyanomaly.errors import InvalidOption
from anyanomaly.masking import mask_url

MAX_NUMBER = 10**9
"""Largest number, up or down, of a setting that states no bound of its own."""


class CheckedNumbers(BaseModel):
    """A model that takes only sensible numbers, whatever its fields allow.

    pydantic takes true and false for 1 and 0, and a field without an upper bound for any number: both are refused.
    """

    @model_validator(mode="before")
    @classmethod
    def _refuse_switches(cls, values: Any) -> Any:
        for name, field in cls.model_fields.items() if isinstance(values, Mapping) else ():
            annotations = get_args(field.annotation) or (field.annotation,)
            kinds = {get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in annotations}
            if isinstance(values.get(name), bool) and kinds & {int, float} and bool not in kinds:
                raise ValueError(f"{name} must be a number, not {str(values[name]).lower()}")
        return values

    @model_validator(mode="after")
    def _refuse_extremes(self) -> Self:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            has_bound = any(hasattr(rule, "le") or hasattr(rule, "lt") for rule in field.metadata)
            if isinstance(value, int | float) and not has_bound and not -MAX_NUMBER <= value <= MAX_NUMBER:
                raise ValueError(f"{name} must be between -{MAX_NUMBER:,} and {MAX_NUMBER:,}")
        return self


class Options(CheckedNumbers):
    """Options of a component. Immutable; options that no field declares are refused.

    Every field needs a default and a description: both appear in ``--help``. Numbers are finite, because JSON, the
    format of results, has no others. A number beyond a billion needs a field with an upper bound of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    @classmethod
    def validate_values(cls, values: Mapping[str, Any], owner: str) -> Self:
        """Return the options with a user's values, and defaults for the others.

        :param values: by option name. :param owner: the component in messages: "Backend 'vllm'".
        :raises InvalidOption: when an option does not exist or its value is not allowed.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise InvalidOption(cls._describe_error(error, owner)) from error

    def public_values(self) -> dict[str, Any]:
        """Return all options except secrets, JSON-ready. A set is sorted: it has another order in every process."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        secrets = {name for name, value in values.items() if isinstance(value, SecretStr)}
        return {
            name: sorted(value, key=repr) if isinstance(values[name], Set) else value
            for name, value in self.model_dump(mode="json", exclude=secrets).items()
        }

    def named_files(self) -> list[Path]:
        """Return the existing files and folders that the options name, such as weights.

        ``bench`` runs a cell again when their content changes. Override it when a default stands for a file of the
        plugin.
        """
        values = [getattr(self, name) for name in type(self).model_fields]
        paths = [Path(expanduser(value)) for value in values if isinstance(value, str) and value]
        return [path for path in paths if isfile(path) or isdir(path)]

    def downloads(self) -> tuple[Download, ...]:
        """Return the weights that ``load`` downloads with these options when they are not on this machine.

        Called before a run and by ``anyanomaly doctor``, so it must not import an engine. The default is none.
        """
        return ()

    @classmethod
    def _describe_error(cls, error: ValidationError, owner: str) -> str:
        """Return a sentence on the first invalid option and what is allowed there."""
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            names = sorted(cls.model_fields)
            near = get_close_matches(name, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            return f"{owner} has no option '{name}'.{hint} Its options: {', '.join(names) or 'none'}."
        reason = first["msg"].removeprefix("Value error, ")
        reason = f"{reason[:1].lower()}{reason[1:]}."
        if not name:
            return f"{owner}: {reason}"
        return f"{owner}: option '{name}' cannot be {_mask_input(first['input'])}: {reason}"


def _mask_input(value: object) -> str:
    """Return a value for a message: a password in an address is masked, also in one without its beginning."""
    return repr(mask_url(value) if isinstance(value, str) and ("://" in value or "@" in value) else value)
