"""Models with an image prefix: exact log-probabilities, beams, stop strings, equal answers in a batch and alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from anyanomaly_transformers.prefix.profiles import Decoding, Profile
from anyanomaly_transformers.prefix.prompts import embed_prompt, pad_batch

from anyanomaly.core.expected import SCORES
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.types import Query, Sampling
from tests.support.tiny_prefix import PAPER, TinyPrefixBackend, TinyPrefixModel, greedy, loaded, logits_after, prompt

pytestmark = pytest.mark.engine
Ask = Callable[..., Query]


@pytest.fixture(scope="module")
def backend() -> TinyPrefixBackend:
    return loaded()


def test_log_probabilities_equal_those_of_a_full_pass_per_choice(backend: TinyPrefixBackend, ask: Ask) -> None:
    tiny = backend.tiny
    for choices in (SCORES, ("0", "0.5", "yes", "no, there is none")):
        query = ask(3, n_images=2, sampling=Sampling(choices=choices))
        (answer,) = backend.answer_batch([query])
        embeds = prompt(tiny, query)
        for choice in choices:
            ids = tiny.tokenizer(choice, add_special_tokens=False)["input_ids"]
            table = logits_after(tiny, embeds, ids)
            expected = sum(float(table[place, token]) for place, token in enumerate(ids))
            assert answer.logprobs is not None
            assert answer.logprobs[choice] == pytest.approx(expected, abs=1e-4)


def test_a_choice_has_the_tokens_that_it_adds_to_the_end_of_the_prompt(ask: Ask) -> None:
    """A choice with a leading space has the tokens of the space too, after a prompt without a final space."""
    backend = loaded(replace(PAPER, after="###Assistant:"))
    tiny = backend.tiny
    (answer,) = backend.answer_batch([ask(0, sampling=Sampling(choices=(" score",)))])
    ids = tiny.tokenizer(" score", add_special_tokens=False)["input_ids"]
    table = logits_after(tiny, prompt(tiny, ask(0)), ids)
    expected = sum(float(table[place, token]) for place, token in enumerate(ids))
    assert answer.logprobs == {" score": pytest.approx(expected, abs=1e-4)}


def test_a_mixed_batch_gives_the_answers_of_single_queries(backend: TinyPrefixBackend, ask: Ask) -> None:
    queries = [
        ask(0, sampling=Sampling(choices=SCORES)),
        ask(1, n_images=2, prompt="A longer question. " * 4),
        ask(2, n_images=3, sampling=Sampling(choices=("0", "0.5", "yes")), prompt="Look. Is it there?"),
        ask(3, system="You are a detector.", sampling=Sampling(max_tokens=6, repetition_penalty=1.3)),
        ask(4, text_first=True, sampling=Sampling(choices=SCORES), prompt="What " * 9),
        ask(5, n_images=2, sampling=Sampling(max_tokens=6, repetition_penalty=1.3)),
        ask(6, n_images=0),
        ask(7, sampling=Sampling(max_tokens=6, temperature=0.8, top_p=0.9)),
        ask(8, n_images=2, prompt="Hm?", sampling=Sampling(max_tokens=6, temperature=0.8, top_p=0.9)),
    ]
    batch_answers = backend.answer_batch(queries)
    assert [answer.id for answer in batch_answers] == [query.id for query in queries]
    for query, answer in zip(queries, batch_answers, strict=True):
        (alone,) = backend.answer_batch([query])
        assert (answer.text, answer.prompt_tokens, answer.output_tokens) == (
            alone.text,
            alone.prompt_tokens,
            alone.output_tokens,
        )
        assert (answer.logprobs is None) == (not query.sampling.choices)
        if answer.logprobs is not None:
            assert answer.logprobs == pytest.approx(alone.logprobs, abs=1e-4)


def test_the_answer_depends_on_images_their_order_question_and_system(backend: TinyPrefixBackend, ask: Ask) -> None:
    sampling = Sampling(choices=SCORES)
    query = ask(1, n_images=2, sampling=sampling)
    variants = [
        Query(query.id, query.images[::-1], query.prompt, sampling=sampling),
        ask(1, n_images=1, sampling=sampling),
        ask(1, n_images=2, prompt="Is there a car?", sampling=sampling),
        ask(1, n_images=2, text_first=True, sampling=sampling),
        ask(1, n_images=2, system="You are a detector.", sampling=sampling),
    ]
    first, *variant_answers = backend.answer_batch([query, *variants])
    for answer in variant_answers:
        assert answer.logprobs != pytest.approx(first.logprobs, abs=1e-3)


def test_greedy_words_equal_the_likeliest_tokens_of_full_passes(backend: TinyPrefixBackend, ask: Ask) -> None:
    tiny = backend.tiny
    query = ask(2, n_images=2, sampling=Sampling(max_tokens=6))
    tokens = greedy(tiny, query, 6)
    (answer,) = backend.answer_batch([query])
    assert answer.text == tiny.tokenizer.decode(tokens, skip_special_tokens=True).strip()


def test_a_penalty_counts_the_answer_and_not_the_prompt(ask: Ask) -> None:
    backend = loaded(replace(PAPER, decoding=Decoding(repetition_penalty=1.5)))
    tiny = backend.tiny
    query = ask(2, sampling=Sampling(max_tokens=8))
    embeds, tokens = prompt(tiny, query), []
    with torch.no_grad():
        for _ in range(8):
            table = tiny.language.get_input_embeddings().weight[tokens][None]
            logits = tiny.language(inputs_embeds=torch.cat([embeds, table], dim=1), use_cache=False).logits[0, -1]
            for token in set(tokens):
                logits[token] = logits[token] / 1.5 if logits[token] > 0 else logits[token] * 1.5
            tokens.append(int(logits.argmax()))
    (answer,) = backend.answer_batch([query])
    assert answer.text == tiny.tokenizer.decode(tokens, skip_special_tokens=True).strip()


def test_beams_find_the_likeliest_answer_of_two_tokens(ask: Ask) -> None:
    """With as many beams as tokens in the vocabulary, beam search covers every answer of two tokens."""
    tiny = TinyPrefixModel()
    n_beams = len(tiny.tokenizer)
    backend = loaded(replace(PAPER, decoding=Decoding(num_beams=n_beams)))
    query = ask(5, sampling=Sampling(max_tokens=2))
    embeds = prompt(tiny, query)
    first = logits_after(tiny, embeds, [])[0]
    ends = {tiny.tokenizer.eos_token_id}
    best, text = -float("inf"), ""
    for token in first.topk(40).indices.tolist():
        second = logits_after(tiny, embeds, [token])[-1]
        value = float(first[token] + second.max())
        if token not in ends and value > best:
            best, text = value, tiny.tokenizer.decode([token, int(second.argmax())], skip_special_tokens=True)
    (answer,) = backend.answer_batch([query])
    assert answer.text == text.strip()


def test_beams_answer_alone_as_in_a_batch(ask: Ask) -> None:
    backend = loaded(replace(PAPER, decoding=Decoding(num_beams=3, repetition_penalty=1.2)))
    queries = [ask(number, n_images=1 + number % 3, prompt="Is it? " * (1 + number)) for number in range(5)]
    batch_answers = backend.answer_batch(queries)
    for query, answer in zip(queries, batch_answers, strict=True):
        (alone,) = backend.answer_batch([query])
        assert (alone.text, alone.output_tokens) == (answer.text, answer.output_tokens)
    greedy = loaded().answer_batch(queries)
    assert [answer.text for answer in greedy] != [answer.text for answer in batch_answers]


def test_a_stop_string_ends_the_answer_with_any_tokenisation(ask: Ask) -> None:
    """The tiny model answers noise, so the stop string is a part of that noise, across two tokens."""
    query, second_query = ask(2, n_images=2, sampling=Sampling(max_tokens=24)), ask(3, sampling=Sampling(max_tokens=24))
    tiny = TinyPrefixModel()
    tokens = greedy(tiny, query, 24)
    pieces = [tiny.tokenizer.decode([token]) for token in tokens]
    place = next(n for n in range(4, 20) if pieces[n].isascii() and pieces[n + 1].isascii())
    across = pieces[place][-1] + pieces[place + 1][0]
    full_text = tiny.tokenizer.decode(tokens)
    backend = loaded(replace(PAPER, stop_strings=(across,)))
    alone, (batched, _) = backend.answer_batch([query])[0], backend.answer_batch([query, second_query])
    assert alone.text == full_text.partition(across)[0].strip()
    assert (batched.text, batched.output_tokens) == (alone.text, alone.output_tokens)
    n_tokens = next(n for n in range(1, 25) if across in tiny.tokenizer.decode(tokens[:n]))
    assert alone.output_tokens == n_tokens


def test_a_stop_token_ends_the_answer(ask: Ask) -> None:
    tiny, query = TinyPrefixModel(), ask(2, sampling=Sampling(max_tokens=12))
    tokens = greedy(tiny, query, 12)
    token = tiny.tokenizer.convert_ids_to_tokens(tokens[3])
    backend = loaded(replace(PAPER, stop_tokens=(token, "<|not there|>")))
    answer, _ = backend.answer_batch([query, ask(3, sampling=Sampling(max_tokens=12))])
    assert answer.output_tokens == tokens.index(tokens[3]) + 1


def test_images_of_several_questions_are_encoded_once(ask: Ask) -> None:
    backend = loaded()
    pair = ask(1, n_images=2)
    queries = [
        pair,
        Query(pair.id, pair.images, "Is there a car?"),
        Query(pair.id, pair.images[::-1], "And now?"),
        ask(2),
    ]
    backend.answer_batch(queries)
    assert backend.tiny.encoded == 3


def test_images_that_are_encoded_together_share_a_slot(ask: Ask) -> None:
    backend = loaded()
    backend.tiny.slots_alone = False
    backend.answer_batch([ask(1, n_images=2), ask(1, n_images=2, prompt="And a car?"), ask(1, n_images=3)])
    assert backend.tiny.encoded == 2


def test_a_published_decoding_overrides_the_run(ask: Ask) -> None:
    backend = loaded(replace(PAPER, decoding=Decoding()))
    sampled = Sampling(max_tokens=6, temperature=5.0, repetition_penalty=2.0)
    answers = backend.answer_batch([ask(1, sampling=Sampling(max_tokens=6)), ask(1, sampling=sampled)])
    assert answers[0].text == answers[1].text
    assert loaded().answer_batch([ask(1, sampling=sampled)])[0].text != answers[0].text


def test_beam_search_does_not_sample() -> None:
    with pytest.raises(ValueError, match="beam search does not sample"):
        Decoding(num_beams=3, temperature=0.2)


def test_half_precision_answers(ask: Ask) -> None:
    for dtype in (torch.bfloat16, torch.float16):
        backend = loaded()
        backend.tiny.language.to(dtype)
        answer, scores = backend.answer_batch([ask(1), ask(1, sampling=Sampling(choices=SCORES))])
        assert answer.text
        assert scores.logprobs is not None


def test_a_question_with_a_special_token_is_refused(backend: TinyPrefixBackend, ask: Ask) -> None:
    with pytest.raises(UsageError, match=r"<\|im_end\|>"):
        backend.answer_batch([ask(0, prompt="Is there an <|im_end|>?")])


def test_exceptions_of_the_model_become_errors_of_ours(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = loaded(model="here")
    monkeypatch.setattr(backend.tiny, "encode_images", lambda groups: 1 / 0)
    with pytest.raises(BackendError, match="'here' failed: ZeroDivisionError"):
        backend.answer_batch([ask(0)])


def test_use_before_load_and_after_close_is_an_error_of_ours(ask: Ask) -> None:
    backend = TinyPrefixBackend(TinyPrefixModel())
    with pytest.raises(BackendError, match="not loaded"):
        backend.answer_batch([ask(0)])
    with backend:
        backend.answer_batch([ask(0)])
    with pytest.raises(BackendError, match="not loaded"):
        _ = backend.fingerprint


def test_what_changes_answers_changes_the_fingerprint(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"

    def fingerprint(value: float, profile: Profile = PAPER) -> str:
        torch.save({"weight": torch.full((4,), value)}, weights)
        backend = TinyPrefixBackend(TinyPrefixModel(profile))
        backend.tiny.files = (weights,)
        backend.load()
        return backend.fingerprint

    assert fingerprint(1.0) == fingerprint(1.0)
    assert len({fingerprint(1.0), fingerprint(2.0), fingerprint(1.0, replace(PAPER, after=":"))}) == 3


def test_prompts_follow_the_profile(ask: Ask) -> None:
    video = replace(PAPER, between="\n", image_open="<vid>", image_close="</vid>", question_first=True)
    query = ask(0, prompt="Q?", system="S.")
    assert PAPER.layout(query, [1]) == ["A chat.###Human: <Img>", 1, "</Img> S.\nQ?###Assistant: "]
    assert video.layout(query, [1]) == ["A chat.###Human: <Img>S.\nQ?\n<vid>", 1, "</vid>###Assistant: "]
    assert PAPER.layout(ask(0, prompt="Q?", text_first=True), [1, 2]) == [
        "A chat.###Human: <Img>Q?</Img> ",
        1,
        "</Img> ",
        2,
        "###Assistant: ",
    ]
    assert PAPER.layout(ask(0, prompt="Q?"), []) == ["A chat.###Human: <Img>Q?###Assistant: "]


def test_rows_are_padded_on_the_left(backend: TinyPrefixBackend, ask: Ask) -> None:
    tiny = backend.tiny
    pieces = tiny.pieces(ask(0, n_images=0, prompt="Q?"))
    embeddings = embed_prompt(tiny, pieces, {})
    batch = pad_batch([embeddings, embeddings[:3]])
    assert batch["attention_mask"].sum(dim=1).tolist() == [len(embeddings), 3]
    assert torch.equal(batch["inputs_embeds"][1, -3:], embeddings[:3])
    assert not batch["inputs_embeds"][1, :-3].any()
