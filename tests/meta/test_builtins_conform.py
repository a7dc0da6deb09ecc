"""Our own components under our own contracts, through the door that anyone's go through."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from anyanomaly import registry

INSTALLED = registry.load()
OWN_TESTS = {"replay", "annotated", "clips"}
"""Components that need more than the contracts offer, answers or videos; their own tests cover the clauses."""

SPECS = [
    spec
    for role in ("reader", "gate", "selector", "context", "sink", "backend")
    for spec in INSTALLED.specs(role)
    if INSTALLED.provider(spec) == "builtin" and spec.name not in OWN_TESTS
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.role}:{spec.name}")
def test_builtins_conform(spec, request: pytest.FixtureRequest) -> None:
    done = checked(f"{spec.role}:{spec.name}")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_a_component_that_breaks_its_contract_is_caught(tmp_path) -> None:
    (tmp_path / "greedy.py").write_text(
        "from anyanomaly import BackendSpec, hookimpl\n"
        "from anyanomaly.api import Backend, Options\n"
        "from anyanomaly.types import Answer\n"
        "class Greedy(Backend[Options]):\n"
        "    fingerprint = 'greedy'\n"
        "    def answer_batch(self, queries):\n"
        "        return [Answer(query.id, '0.5') for query in queries]\n"
        "    def answer(self, queries):\n"
        "        return iter(self.answer_batch(list(queries)))\n"
        "@hookimpl\ndef anyanomaly_register_backends():\n"
        "    return [BackendSpec(name='greedy', summary='Drains the stream', target='greedy:Greedy')]\n"
    )
    done = checked("backend:greedy", "--component-plugin", str(tmp_path / "greedy.py"))
    assert done.returncode == 1
    for clause in ("s4_never_holds_more", "s5_answers_before_the_stream_ends", "s11_use_before_load"):
        assert clause in done.stdout


def checked(component: str, *more: str) -> subprocess.CompletedProcess[str]:
    module = "anyanomaly.testing.conformance.test_component"
    command = ["-m", "pytest", "-p", "anyanomaly.testing.plugin", "--pyargs", module, "--component", component, "-q"]
    options = ["--component-options", json.dumps({}), "-c", "/dev/null", "-p", "no:cacheprovider"]
    return subprocess.run([sys.executable, *command, *options, *more], capture_output=True, text=True)
