"""The backend kit: what plugins rely on, without an engine."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from anyanomaly import kit
from anyanomaly.errors import BackendError, MissingRequirement, UsageError
from anyanomaly.kit import (
    ChoiceEncoder,
    HubModelOptions,
    PixelOptions,
    answer_in_groups,
    answer_logprobs,
    chat_messages,
    check_special_tokens,
    download_error,
    first_line,
    full_prompt,
    require_loaded,
    sampling_seed,
)
from anyanomaly.types import Answer, Query, QueryId, Sampling


def query(prompt: str = "What?", system: str = "", n_images: int = 1, **more: object) -> Query:
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    sampling = Sampling(temperature=0.5, seed=int(str(more.pop("seed", 3))))
    return Query(QueryId("v", 0, "t", "c"), (image,) * n_images, prompt, system, bool(more.get("text_first")), sampling)


def test_the_kit_imports_no_engine_and_lists_its_names() -> None:
    probe = "import sys, anyanomaly.kit; print({'torch', 'transformers', 'vllm', 'llama_cpp'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout.strip() == "set()"
    for name in kit.__all__:
        assert getattr(kit, name) is not None


def test_seeds_stay_as_they_are_for_sampled_answers_to_come_again() -> None:
    question = query(system="Be brief.")
    assert sampling_seed(question) == 15071511407426500997
    assert sampling_seed(question, bits=63) == 7535755703713250498
    assert len({sampling_seed(query(seed=seed)) for seed in range(5)} | {sampling_seed(query("Why?"))}) == 6


def test_answers_come_in_order_and_equal_keys_are_answered_together() -> None:
    groups: list[list[int]] = []

    def answer(group: list[int]) -> list[Answer]:
        groups.append(group)
        return [Answer(QueryId("v", number, "t", "c"), str(number)) for number in group]

    answers = answer_in_groups([3, 0, 4, 1, 6], lambda number: number % 2, answer)
    assert groups == [[0, 4, 6], [3, 1]]
    assert [answer.text for answer in answers] == ["3", "0", "4", "1", "6"]
    assert answer_in_groups([], lambda number: number, answer) == []
    with pytest.raises(ValueError):
        answer_in_groups([1, 3], lambda number: 0, lambda group: answer(group[:1]))


def test_choices_are_encoded_once_per_prompt_and_refused_without_tokens() -> None:
    calls: list[str] = []

    def encode(text: str) -> list[int]:
        calls.append(text)
        return [ord(letter) for letter in text if letter != "_"]

    encoder = ChoiceEncoder(encode)
    assert encoder("a:", ("0", "1")) == ((48,), (49,))
    n_calls = len(calls)
    assert encoder("a:", ("0", "1")) == ((48,), (49,))
    assert len(calls) == n_calls
    with pytest.raises(UsageError, match="'_' has no tokens"):
        encoder("a:", ("_",))


def test_log_probabilities_multiply_along_an_answer_and_nan_is_an_error() -> None:
    answers = ((1,), (2, 3))
    assert answer_logprobs(answers, {(): {1: -1.0, 2: -0.5}, (2,): {3: -0.25}}, "") == [-1.0, -0.75]
    with pytest.raises(BackendError, match=r"NaN for the allowed answers\. Use another file\."):
        answer_logprobs(answers, {(): {1: float("nan"), 2: 0.0}, (2,): {3: 0.0}}, "Use another file.")


def test_conversations_put_the_system_text_where_the_template_takes_it() -> None:
    image = {"type": "image"}
    system, user = chat_messages(query(system="Be brief."), [image])
    assert system == {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    assert user == {"role": "user", "content": [image, {"type": "text", "text": "What?"}]}
    (joined,) = chat_messages(query(system="Be brief.", text_first=True), [image], system_turn=False)
    assert joined["content"] == [{"type": "text", "text": "Be brief.\nWhat?"}, image]
    assert len(chat_messages(query(), [image])) == 1
    assert full_prompt(query()) == "What?"


def test_a_special_token_in_the_question_is_refused() -> None:
    check_special_tokens(query("a car"), ["<image>"])
    with pytest.raises(UsageError, match="'<image>', which is a special token of this model"):
        check_special_tokens(query("a car", system="see <image>"), ["<end>", "<image>"])


def test_errors_that_all_backends_share() -> None:
    assert require_loaded("model") == "model"
    with pytest.raises(BackendError, match=r"not loaded\. Call load\(\) first"):
        require_loaded(None)
    assert first_line(ValueError("\n  one \ntwo")) == "one"
    assert first_line(KeyError()) == "KeyError"
    error = download_error("'m.gguf' of 'a/b'", OSError("no network."), "file")
    assert isinstance(error, MissingRequirement)
    assert str(error).startswith("'m.gguf' of 'a/b' cannot be downloaded from the Hugging Face hub: no network. Check")
    assert str(error).endswith("or give a local file.")


class TwoMixins(PixelOptions, HubModelOptions):
    """Options as a plugin writes them."""


@pytest.mark.parametrize(
    ("low", "high", "limits", "part"),
    [
        (None, None, (100, 900), ""),
        (200, None, (200, 900), "200"),
        (None, 50, (50, 50), "50"),
        (1000, None, (1000, 1000), "1000"),
        (20, 30, (20, 30), "20-30"),
    ],
)
def test_pixel_limits_of_the_user_replace_those_of_the_model(
    low: int | None, high: int | None, limits: tuple[int, int], part: str
) -> None:
    options = TwoMixins(min_pixels=low, max_pixels=high)
    assert options.pixel_limits(100, 900) == limits
    assert options.pixel_range == part
    assert options.has_pixel_limits == bool(part)


def test_pixel_limits_in_the_wrong_order_are_refused_and_fields_keep_their_order() -> None:
    with pytest.raises(ValidationError, match="min_pixels 3 is above max_pixels 2"):
        TwoMixins(min_pixels=3, max_pixels=2)
    assert list(TwoMixins.model_fields) == ["model", "revision", "min_pixels", "max_pixels"]
