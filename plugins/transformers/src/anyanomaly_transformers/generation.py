"""Answers in words: greedy, or sampled so that an answer does not depend on the other queries of its batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from anyanomaly.kit import sampling_seed
from anyanomaly.types import Query

SamplingKey: TypeAlias = tuple[int, float, float, float]
SEED_BITS = 63  # of a torch generator


def sampling_key(query: Query) -> SamplingKey:
    """Return what queries of one batch must share: length, temperature, top-p and repetition penalty."""
    sampling = query.sampling
    return (sampling.max_tokens, sampling.temperature, sampling.top_p, sampling.repetition_penalty)


def generate(model: Any, inputs: Any, queries: Sequence[Query]) -> list[list[int]]:
    """Return the new tokens of each row of ``inputs``, with the end token where there is one.

    The checkpoint's own sampling defaults do not apply.

    :param inputs: the processor's tensors, padded on the left.
    :param queries: one per row, all with the same `sampling_key`.
    """
    from transformers import GenerationConfig

    processors = _processors(inputs["attention_mask"], queries)
    config = GenerationConfig(
        max_new_tokens=queries[0].sampling.max_tokens, do_sample=False, num_beams=1, use_cache=True
    )
    tokens = model.generate(**inputs, generation_config=config, logits_processor=processors)
    end_tokens = end_token_ids(model)
    return [cut_at_end(row, end_tokens) for row in tokens[:, inputs["input_ids"].shape[1] :].tolist()]


def continue_in_words(
    model: Any, first: Any, prepared: dict[str, Any], input_ids: Any, mask: Any, queries: Sequence[Query]
) -> list[list[int]]:
    """Return what `generate` returns, after prompts that the model has read.

    :param first: output of the pass that read the prompts' ends. :param prepared: its arguments, but for its tokens.
    :param input_ids: (n_rows, prompt length). :param mask: of the same shape, 0 at padding.
    """
    import torch

    processors = _processors(mask, queries)
    end_tokens = end_token_ids(model)
    rows: list[list[int]] = [[] for _ in queries]
    arguments, output = prepared, first
    while True:
        scores = output.logits[:, -1].float()
        for processor in processors:
            scores = processor(input_ids, scores)
        next_tokens = scores.argmax(dim=-1)
        for row, token in zip(rows, next_tokens.tolist(), strict=True):
            row.append(token)
        is_done = all(end_tokens.intersection(row) for row in rows)
        if is_done or len(rows[0]) >= queries[0].sampling.max_tokens:
            return [cut_at_end(row, end_tokens) for row in rows]
        input_ids = torch.cat([input_ids, next_tokens[:, None]], dim=-1)
        arguments = model._update_model_kwargs_for_generation(output, arguments)
        output = model(**model.prepare_inputs_for_generation(input_ids, next_sequence_length=1, **arguments))


def _processors(mask: Any, queries: Sequence[Query]) -> list[Any]:
    """Return what changes the logits of a batch, before the likeliest token is taken. ``mask``: 0 at padding."""
    _, temperature, top_p, penalty = sampling_key(queries[0])
    processors: list[Any] = []
    if penalty != 1.0:
        processors.append(RepetitionPenalty(mask, penalty))
    if temperature > 0.0:
        processors.append(SeededSampler([sampling_seed(query, SEED_BITS) for query in queries], temperature, top_p))
    return processors


def end_token_ids(model: Any) -> set[int]:
    """Return the ids of the tokens that end an answer."""
    tokens = model.generation_config.eos_token_id
    return set(tokens if isinstance(tokens, list) else [tokens]) - {None}


def cut_at_end(tokens: list[int], end_tokens: set[int]) -> list[int]:
    """Return ``tokens`` up to and with the first end token; all of them when there is none."""
    end = next((position for position, token in enumerate(tokens) if token in end_tokens), len(tokens) - 1)
    return tokens[: end + 1]


class RepetitionPenalty:
    """Repetition penalty over prompt and answer, without the padding: an answer is the same in any batch."""

    def __init__(self, mask: Any, penalty: float) -> None:
        """:param mask: (n_rows, prompt length), 0 at padding."""
        self._mask = mask.bool()
        self._penalty = penalty

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        n_tokens = scores.shape[-1]
        ids = input_ids.clamp(max=n_tokens)  # image tokens may lie beyond the vocabulary: they get a spare column
        ids[:, : self._mask.shape[1]][~self._mask] = n_tokens
        is_used = torch.zeros((len(scores), n_tokens + 1), dtype=torch.bool, device=scores.device)
        is_used = is_used.scatter(1, ids, True)[:, :n_tokens]
        penalised = torch.where(scores > 0, scores / self._penalty, scores * self._penalty)
        return torch.where(is_used, penalised, scores)


class SeededSampler:
    """Temperature and top-p, then Gumbel noise from a random stream per row.

    The token with the largest logit plus Gumbel noise is a sample from the softmax of the logits, so greedy decoding
    of the result samples, independent of the other rows.
    """

    def __init__(self, seeds: Sequence[int], temperature: float, top_p: float) -> None:
        """:param seeds: one per row."""
        import torch
        from transformers import TopPLogitsWarper

        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]  # on the CPU: same on any device
        self._temperature = temperature
        self._top_p = TopPLogitsWarper(top_p) if top_p < 1.0 else None

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        scores = scores / self._temperature
        if self._top_p is not None:
            scores = self._top_p(input_ids, scores)
        noise = [torch.empty(scores.shape[-1]).exponential_(generator=generator) for generator in self._generators]
        return scores - torch.stack(noise).log().to(scores.device)
