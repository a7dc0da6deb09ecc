"""Log-probabilities from the trie of allowed answers equal those of decoding each answer alone."""

from __future__ import annotations

import math

import pytest
import torch
from anyanomaly_transformers.scoring import choice_logprobs
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.errors import BackendError

TOKENS = 5
answers = st.lists(
    st.lists(st.integers(0, TOKENS - 1), min_size=1, max_size=4).map(tuple), min_size=1, max_size=8, unique=True
)


class Rows:
    """A cache that holds the tokens of each row, in place of keys and values."""

    def __init__(self, rows: list[tuple[int, ...]]) -> None:
        self.rows = rows

    def reorder_cache(self, rows: torch.Tensor) -> None:
        self.rows = [self.rows[row] for row in rows.tolist()]


class TableModel:
    """Stands for a model whose next logits depend on all tokens before them. Counts its forward passes."""

    def __init__(self, broken: bool = False) -> None:
        self.passes = 0
        self.broken = broken

    @staticmethod
    def logits(tokens: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(TOKENS, generator=torch.Generator().manual_seed(hash(tokens) % 2**40))

    def generate(self, *, input_ids, generation_config, custom_generate):
        return custom_generate(self, input_ids, use_cache=True, logits_to_keep=1, generation_config=generation_config)

    @staticmethod
    def prepare_inputs_for_generation(input_ids, *, past_key_values=None, **_):
        return {"input_ids": input_ids, "past_key_values": past_key_values}

    @staticmethod
    def _update_model_kwargs_for_generation(first, kwargs, num_new_tokens):
        return {**kwargs, "past_key_values": first.past_key_values}

    def __call__(self, input_ids, past_key_values=None):
        self.passes += 1
        ids = [tuple(row) for row in input_ids.tolist()]
        before = past_key_values.rows if past_key_values else [()] * len(ids)
        rows = zip(before, ids, strict=True)
        table = [torch.stack([self.logits(past + row[: n + 1]) for n in range(len(row))]) for past, row in rows]
        output = type("Output", (), {})()
        output.logits = torch.stack(table) * (float("nan") if self.broken else 1.0)
        output.past_key_values = Rows(ids)
        return output


def decoded_logprob(prompt: tuple[int, ...], answer: tuple[int, ...]) -> float:
    """Return the log-probability of an answer, decoded token by token."""
    steps = range(len(answer))
    return sum(float(TableModel.logits(prompt + answer[:n]).log_softmax(-1)[answer[n]]) for n in steps)


@settings(deadline=None)
@given(st.lists(answers, min_size=2, max_size=2))
def test_each_answer_has_the_probability_of_its_own_path(answers_by_row: list[list[tuple[int, ...]]]) -> None:
    model, prompts = TableModel(), ((4, 1), (0, 3))
    values = choice_logprobs(model, {"input_ids": torch.tensor(prompts)}, answers_by_row)
    for prompt, choices, row in zip(prompts, answers_by_row, values, strict=True):
        assert row == pytest.approx([decoded_logprob(prompt, answer) for answer in choices], abs=1e-4)
        assert all(value <= 0 for value in row)
        # no other answer continues these, so their probabilities exclude each other
        leaves = [
            answer
            for answer in choices
            if not any(longer != answer and longer[: len(answer)] == answer for longer in choices)
        ]
        assert sum(math.exp(decoded_logprob(prompt, answer)) for answer in leaves) <= 1 + 1e-5
    assert model.passes <= 2


def test_answers_of_one_token_need_one_pass() -> None:
    model = TableModel()
    choice_logprobs(model, {"input_ids": torch.tensor([[1, 2]])}, [[(0,), (3,)]])
    assert model.passes == 1


def test_nan_is_an_error_and_not_a_score() -> None:
    with pytest.raises(BackendError, match=r"NaN.*--backend\.dtype"):
        choice_logprobs(TableModel(broken=True), {"input_ids": torch.tensor([[1]])}, [[(0,)]])
