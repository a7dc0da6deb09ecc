"""Thinking is not the answer: it is removed, however a model marks it, and closed where a prompt has opened it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.core.thinking import MARKERS, open_marker, remove_thinking

WORDS = st.text(alphabet=" abc.,?0.5\n", max_size=30)


@pytest.mark.parametrize(("opening", "closing"), MARKERS)
def test_every_marker_is_known_closed_and_open(opening: str, closing: str) -> None:
    assert remove_thinking(f"{opening}\nFirst 0.2, but no.{closing}\n\n0.8") == "0.8"
    assert remove_thinking(f"{opening}\nFirst 0.2, but no. 0.8") == ""
    assert open_marker(f"USER: Is there a car?\nASSISTANT: {opening}\n").startswith(closing)
    assert open_marker(f"USER: Is there a car?\nASSISTANT: {opening}\n\n{closing}\n\n") == ""


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        ("0.2, perhaps</think>0.8", "0.8"),  # the prompt has opened it
        ("<think>a</think>0.8<think>b</think>", "0.8"),
        ("<think>a<think>b</think>0.2</think>0.8", "0.8"),
        ("<think>a<think>b</think>0.2", ""),
        ("<think>\n<think>\nb</think>0.8", "0.8"),
        ("<THINK>a</Think>0.8", "0.8"),
        ("< think >a</ think>0.8", "0.8"),
        ("<think:opensource>a</think:opensource>0.8", "0.8"),  # Hunyuan
        ("&lt;think&gt;a&lt;/think&gt;0.8", "0.8"),
        ("<reasoning type='long'>a</reasoning>0.8", "0.8"),
        ("<think>a<|im_end|>0.2</think>0.8", "0.8"),
        ("<|channel|>analysis<|message|>0.2<|end|><|start|>assistant<|channel|>final<|message|>0.8<|return|>", "0.8"),
        ("analysisMaybe 0.2.assistantfinal0.8", "0.8"),  # without special tokens
        ("analysisMaybe 0.2", ""),
        ("Analysis: a car. 0.8", "Analysis: a car. 0.8"),
        ("thought\n0.8", "0.8"),
        ("thought\nmaybe 0.2\n0.8", ""),
        ("0.8<|im_end|>\n<|im_start|>user\n0.3", "0.8"),
        ("<|think|>0.2<|end|><|begin|>assistant<|content|>0.8<|flush|>", "0.8"),
    ],
)
def test_thinking_is_removed(answer: str, rest: str) -> None:
    assert remove_thinking(answer) == rest


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        ("<answer>0.8</answer>", "0.8"),
        ("<think>a</think><answer><|begin_of_box|>0.8<|end_of_box|></answer>", "0.8"),
        ("At first 0.2. <answer>0.8</answer>", "0.8"),
        ("The final answer is $\\boxed{0.8}$.", "0.8"),
        ("<answer>0.2</answer><answer>0.8</answer>", "0.2\n0.8"),
        ("<answer>0.8", "0.8"),
        ("0.8</answer>", "0.8"),
        ("{0.8}", "{0.8}"),
    ],
)
def test_the_answer_is_unwrapped(answer: str, content: str) -> None:
    assert remove_thinking(answer) == content


@pytest.mark.parametrize(
    ("prompt", "closing"),
    [
        ("<|im_start|>assistant\n<think>\nOkay,", "</think>"),
        ("<think:opensource>", "</think:opensource>"),
        ("Write <think> before you think.<|im_end|>\n<|im_start|>assistant\n", ""),
        ("Write <think> before you think. ASSISTANT:", ""),
        ("ASSISTANT:", ""),
    ],
)
def test_only_a_prompt_that_ends_in_thinking_needs_a_closing_marker(prompt: str, closing: str) -> None:
    assert open_marker(prompt) == closing


@settings(deadline=None)
@given(st.lists(st.one_of(st.sampled_from([marker for pair in MARKERS for marker in pair]), WORDS), max_size=8))
def test_removing_thinking_twice_removes_nothing_more(parts: list[str]) -> None:
    rest = remove_thinking("".join(parts))
    assert remove_thinking(rest) == rest


@settings(deadline=None)
@given(st.sampled_from(MARKERS), WORDS, WORDS)
def test_closed_thinking_never_reaches_the_answer(pair: tuple[str, str], thinking: str, answer: str) -> None:
    assert remove_thinking(f"{pair[0]}{thinking}{pair[1]}{answer}") == remove_thinking(answer)
