"""The code of plugins that fail."""

from __future__ import annotations

import random
from textwrap import indent

from tests.campaign.hostile import hostile_text

_FAILURES = {
    "exception": "raise ValueError('broken: ' + {words!r})",
    "sys.exit": "import sys; sys.exit({number})",
    "SystemExit of words": "raise SystemExit({words!r})",
    "KeyError": "raise KeyError({words!r})",
    "odd exception": "raise type('Odd', (Exception,), {{'__str__': lambda self: 1 / 0}})()",
    "BaseException": "raise BaseException({words!r})",
    "GeneratorExit": "raise GeneratorExit",
    "StopIteration": "raise StopIteration({words!r})",
    "recursion": "f = lambda: f(); f()",
    "assertion": "assert False, {words!r}",
    "memory": "raise MemoryError()",
    "own error": "from anyanomaly.errors import BackendError; raise BackendError({words!r})",
    "not implemented": "raise NotImplementedError",
    "unicode": "b'\\xff'.decode()",
    "missing module": "import no_such_module_{number}",
    "missing attribute": "None.attribute",
}
HEAD = """
from anyanomaly import *
from anyanomaly import hookimpl, BackendSpec, ReaderSpec, EncoderSpec, GateSpec, SelectorSpec, SinkSpec
from anyanomaly import ContextSpec, DatasetSpec
from anyanomaly.api import *
from anyanomaly.types import *
import numpy as np
"""
ROLES = {
    "reader": ("Reader", "ReaderSpec", "anyanomaly_register_readers"),
    "encoder": ("Encoder", "EncoderSpec", "anyanomaly_register_encoders"),
    "backend": ("Backend", "BackendSpec", "anyanomaly_register_backends"),
    "sink": ("Sink", "SinkSpec", "anyanomaly_register_sinks"),
    "gate": ("Gate", "GateSpec", "anyanomaly_register_gates"),
    "selector": ("Selector", "SelectorSpec", "anyanomaly_register_selectors"),
    "context": ("Context", "ContextSpec", "anyanomaly_register_contexts"),
    "dataset": ("Dataset", "DatasetSpec", "anyanomaly_register_datasets"),
}
ODD_RETURNS = (
    "None",
    "5",
    "'words'",
    "[None]",
    "[5]",
    "{{}}",
    "object()",
    "[object()]",
    "iter([])",
    "(x for x in [1, 2])",
    "lambda: 1",
    "[[]]",
    "b'x'",
    "type",
    "Ellipsis",
    "float('nan')",
    "np.zeros(3)",
    "[BackendSpec]",
)


def failure(rng: random.Random) -> tuple[str, str]:
    """Return the name and the statements of a failure."""
    name = rng.choice(list(_FAILURES))
    return name, _FAILURES[name].format(
        words=hostile_text(rng).replace("\0", "")[:200], number=rng.choice((0, 1, 5, 130, 256))
    )


def component(role: str, name: str, methods: str) -> str:
    """Return the code of a plugin with one component of these methods."""
    base, spec, hook = ROLES[role]
    suffixes = ", suffixes=frozenset({'.odd'})" if role == "reader" else ""
    return (
        f"{HEAD}\nclass Odd({base}[Options]):\n{indent(methods, '    ')}\n"
        f"@hookimpl\ndef {hook}():\n"
        f"    return [{spec}(name='{name}', summary='Odd', target=f'{{__name__}}:Odd'{suffixes})]\n"
    )
