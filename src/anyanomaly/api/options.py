"""The base of all component options."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from os.path import exists, expanduser
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from anyanomaly.api.downloads import Download
from anyanomaly.errors import InvalidOption


class Options(BaseModel):
    """Closed and frozen. Every field has a default and a description; both appear in ``--help``."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @classmethod
    def checked(cls, given: Mapping[str, Any], owner: str) -> Self:
        """Return the options given by a user.

        :param owner: whose options they are, for the message: "Backend 'vllm'".
        :raises InvalidOption: for an option that does not exist or a value that does not fit.
        """
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            raise InvalidOption(cls._explained(error, owner)) from error

    def named_files(self) -> list[Path]:
        """Return the files and folders that the options name, weights for example: what lies there may change.

        A model whose default stands for a file of the plugin's own adds it.
        """
        words = [value for name in type(self).model_fields if isinstance(value := getattr(self, name), str) and value]
        return [Path(expanduser(each)) for each in words if exists(expanduser(each))]

    def downloads(self) -> tuple[Download, ...]:
        """Return the weights that ``load`` fetches with these options when they are not on this machine.

        Called before a run and by ``anyanomaly doctor``, so it must import no engine. None by default.
        """
        return ()

    @classmethod
    def _explained(cls, error: ValidationError, owner: str) -> str:
        """Say the first thing that does not fit, and what would."""
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            known = sorted(cls.model_fields)
            near = get_close_matches(name, known, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            return f"{owner} has no option '{name}'.{hint} It has: {', '.join(known) or 'none'}."
        reason = first["msg"].removeprefix("Value error, ")
        reason = f"{reason[:1].lower()}{reason[1:]}."
        return f"{owner}: its option '{name}' cannot be {first['input']!r}: {reason}" if name else f"{owner}: {reason}"
