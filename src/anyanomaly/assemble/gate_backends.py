"""The backends that gates ask: created with the pipeline, loaded and closed with it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, cast

from anyanomaly.api.backend import Backend
from anyanomaly.api.gate import Gate
from anyanomaly.api.options import Options
from anyanomaly.assemble.cache import store_limits, store_path
from anyanomaly.assemble.capabilities import check_gate_backend
from anyanomaly.assemble.resolve import ResolvedRun
from anyanomaly.engine.store import AnswerStore
from anyanomaly.engine.stored_answers import StoredAnswers
from anyanomaly.registry import Registry
from anyanomaly.specs import BackendSpec


class GateBackends:
    """The backends of the gates of a run, each with answers that are stored and reused like those of the run."""

    def __init__(self, run: ResolvedRun, registry: Registry, gates: Sequence[Gate[Options]]) -> None:
        """Create the backends and set ``Gate.ask``.

        :param gates: in the order of ``run.gates``.
        :raises CapabilityError: when a backend sends images off this machine without permission.
        """
        self._run = run
        self.by_gate: dict[str, Backend[Options]] = {}
        self._stores: list[AnswerStore] = []
        for component, gate in zip(run.gates, gates, strict=True):
            if component.name in run.gate_backends:
                resolved = run.gate_backends[component.name]
                backend = cast("Backend[Options]", registry.create(resolved.spec, resolved.options))
                check_gate_backend(run, resolved, backend)
                self.by_gate[component.name] = backend
                gate.ask = StoredAnswers(backend, self._store(cast(BackendSpec, resolved.spec))).answer

    def open_stores(self, stack: contextlib.ExitStack) -> None:
        """Open the stores of the loaded backends; ``stack`` closes them.

        :raises CapabilityError: when a backend sends images off this machine without permission.
        """
        for name, backend in self.by_gate.items():
            check_gate_backend(self._run, self._run.gate_backends[name], backend)
        for store in self._stores:
            store.open()
            stack.callback(store.close)

    def describe(self) -> dict[str, Any]:
        """Return name, fingerprint and revision of each backend that was loaded, by its gate, JSON-ready."""
        return {
            gate: {
                "name": self._run.gate_backends[gate].name,
                "fingerprint": backend.fingerprint,
                "revision": backend.revision,
            }
            for gate, backend in self.by_gate.items()
        }

    def _store(self, spec: BackendSpec) -> AnswerStore | None:
        """Return a store of its own: the gates rate on another thread than the run's backend answers on."""
        if not (self._run.config.run.store and spec.cacheable):
            return None
        self._stores.append(AnswerStore(store_path(), store_limits()))
        return self._stores[-1]
