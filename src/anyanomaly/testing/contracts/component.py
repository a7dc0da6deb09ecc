"""The contract of all components (C clauses)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from anyanomaly.api import Component, Options


class ComponentContract:
    """Fixtures ``component``: a new component, not loaded; ``another``: a second one with the same options."""

    @pytest.fixture
    def component(self) -> Any:
        """Return the component to test."""
        raise AssertionError("a contract needs the fixture `component`")

    @pytest.fixture
    def another(self, component: Any) -> Any:
        """Return a second component with the same options."""
        return type(component)(component.options)

    def test_c4_options_are_closed_frozen_described_and_survive_json(self, component: Component[Options]) -> None:
        model = type(component.options)
        for name, field in model.model_fields.items():
            assert not field.is_required(), f"{name} has no default"
            assert field.description, f"{name} has no description"
        assert model.model_validate_json(component.options.model_dump_json()) == component.options
        with pytest.raises(ValidationError):
            model.model_validate({"no_such_option": 1})
        if model.model_fields:
            with pytest.raises(ValidationError):
                setattr(component.options, next(iter(model.model_fields)), None)

    def test_c6_close_may_come_twice_and_without_load(self, component: Component[Options]) -> None:
        component.close()
        component.close()

    def test_c7_two_instances_share_no_state(self, component: Component[Options], another: Component[Options]) -> None:
        shared = [
            name
            for name, value in vars(component).items()
            if isinstance(value, (list, dict, set)) and value is vars(another).get(name)
        ]
        assert not shared
