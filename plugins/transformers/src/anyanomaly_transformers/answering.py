"""Answers to prepared batches: log-probabilities of allowed answers, or words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from anyanomaly.kit import ChatThinking, EvaluatedTokens
from anyanomaly.types import Answer
from anyanomaly_transformers.batches import Batch, Item
from anyanomaly_transformers.generation import continue_in_words, generate
from anyanomaly_transformers.loading import Loaded
from anyanomaly_transformers.preparation import PreparedBatch, Preparer
from anyanomaly_transformers.prompts import decode_words
from anyanomaly_transformers.scoring import choice_logprobs, continue_with_choices
from anyanomaly_transformers.shared_images.heads import Head, HeadStore, can_join, can_share, evaluate_heads
from anyanomaly_transformers.shared_images.prompts import HeadKey
from anyanomaly_transformers.shared_images.questions import Row, evaluate_questions


class Answerer:
    """A loaded model that answers batches, and counts the tokens that it evaluates.

    On a CPU every prompt is evaluated in two passes, its head and its question: that costs little there, and a head
    is then evaluated once however the questions about it are spread over batches. On other devices larger batches pay
    more, so only heads of several questions of a window are evaluated separately, and none is kept for the next window:
    what is evaluated together would depend on the windows before.
    """

    def __init__(self, loaded: Loaded, batch_size: int, thinking: ChatThinking, tokens: EvaluatedTokens) -> None:
        self._loaded = loaded
        self._thinking = thinking
        self._tokens = tokens
        self._heads = HeadStore()
        self.can_share = can_share(loaded.model)
        self.can_join = self.can_share and can_join(loaded.model)
        self._keeps_heads = loaded.model.device.type == "cpu"
        self.always_shares = self.can_join and self._keeps_heads
        one_by_one = self._keeps_heads or not self.can_join
        self._preparer = Preparer(loaded, 1 if one_by_one else batch_size)

    def answer(self, batches: Sequence[Batch]) -> Iterator[tuple[Item, Answer]]:
        """Yield the answers to the batches of a window."""
        if not self._keeps_heads:
            self._heads.clear()
        yield from self._answer_batches(batches)

    def answer_in_words(self, item: Item) -> Answer:
        """Return the answer to a question without allowed answers."""
        ((_, answer),) = self._answer_batches([Batch([item], shares_heads=item.head is not None)])
        return answer

    def _answer_batches(self, batches: Sequence[Batch]) -> Iterator[tuple[Item, Answer]]:
        import torch

        known_heads = {item.head for batch in batches for item in batch.items if item.head in self._heads}
        for prepared in self._preparer.prepare_all(batches, known_heads):
            with torch.no_grad():
                if prepared.batch.shares_heads:
                    answers = self._answer_from_heads(prepared)
                else:
                    answers = list(self._answer_whole(prepared.batch.items, prepared.inputs, prepared.choices))
            yield from zip(prepared.batch.items, answers, strict=True)

    def _answer_whole(self, items: Sequence[Item], inputs: Any, choices: Sequence[Any]) -> Iterator[Answer]:
        model = self._loaded.model
        inputs = inputs.to(model.device, dtype=model.dtype)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        image_token = getattr(model.config, "image_token_id", None)
        n_image = 0 if image_token is None else int((inputs["input_ids"] == image_token).sum())
        self._tokens.add(image=n_image, text=sum(lengths) - n_image)
        if choices:
            values = choice_logprobs(model, inputs, choices)
            yield from map(_scored_answer, items, values, lengths)
        else:
            outputs = generate(model, inputs, [item.query for item in items])
            yield from map(self._worded_answer, items, outputs, lengths)

    def _answer_from_heads(self, prepared: PreparedBatch) -> list[Answer]:
        """Answer questions from the heads of their prompts, which are evaluated where they are not kept."""
        items = prepared.batch.items
        heads = self._evaluate_heads(prepared)
        rows = [Row(heads[item.head], tail) for item, tail in zip(items, prepared.tails, strict=True)]
        if self.can_join:
            return list(self._answer_rows(items, rows, prepared.choices))
        answers: dict[int, Answer] = {}  # rows of one length: nothing is padded
        order = sorted(range(len(rows)), key=lambda index: len(rows[index].tail))
        for _, indices in groupby(order, key=lambda index: len(rows[index].tail)):
            part = list(indices)
            choices = [prepared.choices[index] for index in part] if prepared.choices else []
            part_answers = self._answer_rows([items[index] for index in part], [rows[index] for index in part], choices)
            answers.update(zip(part, part_answers, strict=True))
        return [answers[index] for index in range(len(items))]

    def _answer_rows(self, items: Sequence[Item], rows: Sequence[Row], choices: Sequence[Any]) -> Iterator[Answer]:
        model = self._loaded.model
        lengths = [len(row.head.tokens) + len(row.tail) for row in rows]
        self._tokens.add(text=sum(len(row.tail) for row in rows))
        read = evaluate_questions(model, rows, self._loaded.processor.tokenizer.pad_token_id)
        if choices:
            values = continue_with_choices(model, read.output, read.arguments, choices)
            yield from map(_scored_answer, items, values, lengths)
        else:
            queries = [item.query for item in items]
            outputs = continue_in_words(model, read.output, read.arguments, read.input_ids, read.mask, queries)
            yield from map(self._worded_answer, items, outputs, lengths)

    def _evaluate_heads(self, prepared: PreparedBatch) -> dict[HeadKey | None, Head]:
        """Return the heads of a batch, by key."""
        heads: dict[HeadKey | None, Head] = {}
        missing = [key for part in prepared.heads for key in part.keys]
        for item in prepared.batch.items:
            if item.head not in heads and (head := self._heads.get(item.head)):
                heads[item.head] = head
        removed = {item.head: item for item in prepared.batch.items if item.head not in {*heads, *missing}}
        for part in [*prepared.heads, *self._preparer.encode_heads(list(removed.values()))]:
            model = self._loaded.model
            evaluated = evaluate_heads(model, part.inputs.to(model.device, dtype=model.dtype))
            for key, head in zip(part.keys, evaluated, strict=True):
                self._tokens.add(image=head.n_image_tokens, text=len(head.tokens) - head.n_image_tokens)
                self._heads.add(key, head)
                heads[key] = head
        return heads

    def _worded_answer(self, item: Item, tokens: Sequence[int], n_prompt_tokens: int) -> Answer:
        words = decode_words(self._loaded.processor.tokenizer, tokens)
        text = self._thinking.complete_answer(item.prompt.text, item.query.prompt, words)
        return Answer(item.query.id, text=text, prompt_tokens=n_prompt_tokens, output_tokens=len(tokens))


def _scored_answer(item: Item, logprobs: Sequence[float], n_prompt_tokens: int) -> Answer:
    by_choice = dict(zip(item.query.sampling.choices, logprobs, strict=True))
    return Answer(item.query.id, logprobs=by_choice, prompt_tokens=n_prompt_tokens, output_tokens=0)
