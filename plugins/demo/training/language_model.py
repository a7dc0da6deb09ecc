"""Trains the language model to answer the method's questions; the vision tower stays as it is.

An answer is "0.7. The image shows a bicycle.": a digit, a point, a digit, and a reason that follows from the score. The
tower's readout already gives the probability of each class, from the same image tokens that the language model reads.
The language model learns to write this probability in tenths: a teacher without noise, where labels alone left the
model near the prior.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tiny_tokenizer
import torch
from attention_init import initialise_attention
from auc import auc_per_class
from draw_scenes import CLASS_NAMES
from optimiser import Optimiser
from questions import YES_NO, Batch, QuestionEncoder
from torch.nn import functional
from vision_tower import WIDTH, Heads, encode_images, tower_config


def model_config(tokenizer: Any) -> Any:
    """Return the configuration of the whole model."""
    from transformers import Qwen2_5_VLConfig

    ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in (
        ("image", "<|image_pad|>"), ("video", "<|video_pad|>"),
        ("vision_start", "<|vision_start|>"), ("vision_end", "<|vision_end|>"))}  # fmt: skip
    text = {
        "vocab_size": len(tokenizer), "hidden_size": WIDTH, "intermediate_size": 384, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
        "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.05, "tie_word_embeddings": False,
    }  # fmt: skip
    return Qwen2_5_VLConfig(text_config=text, vision_config=tower_config().to_dict(), tie_word_embeddings=False, **ids)


def build_model(tokenizer: Any) -> Any:
    """Return the whole model with random weights."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    return Qwen2_5_VLForConditionalGeneration(model_config(tokenizer))


def position_ids(n_before: int, rows: int, columns: int, length: int) -> torch.Tensor:
    """Return the position ids of Qwen2.5-VL (3, length): text counts up, image tokens have a row and a column."""
    ids = torch.arange(length).repeat(3, 1)
    n_image = rows * columns
    index = torch.arange(n_image)
    ids[:, n_before : n_before + n_image] = n_before + torch.stack(
        (torch.zeros_like(index), index // columns, index % columns)
    )
    ids[:, n_before + n_image :] = n_before + max(rows, columns) + torch.arange(length - n_before - n_image)
    return ids


TEXT_END = 25
"""From this token on, every question has named its event text."""


class AuxiliaryHeads(torch.nn.Module):
    """Heads for training only: the tower's readout, and one that predicts the label from each token of a question."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = Heads()
        self.label = torch.nn.Linear(WIDTH, 1)

    @torch.no_grad()
    def readout_probabilities(self, image_tokens: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the probability (n,) that the tower's readout gives to the class of each question."""
        probabilities = torch.logsumexp(self.heads.image(image_tokens), dim=1).sigmoid().tolist()
        return torch.tensor(
            [
                probabilities[question.image][CLASS_NAMES.index(question.class_name)] if question.class_name else 0.0
                for question in batch.questions
            ]
        )


class BatchOutput(NamedTuple):
    """The model's output for a batch of n questions with one template."""

    template: str
    image_tokens: torch.Tensor  # (n images, tokens, WIDTH)
    states: torch.Tensor  # of question and answer (n, longest, WIDTH)
    starts: torch.Tensor  # where the answers begin (n,)
    lengths: torch.Tensor  # of the answers (n,)
    answer_states: torch.Tensor  # states before each token of the answers (n, longest answer, WIDTH)
    answer_ids: torch.Tensor  # token ids of the answers (n, longest answer)


def run_batch(model: Any, encoder: QuestionEncoder, batch: Batch, rng: np.random.Generator) -> BatchOutput:
    """Run the questions of a batch through the model, each followed by a sampled answer."""
    rows, columns = batch.pixels.shape[2] // 28, batch.pixels.shape[3] // 28
    image_tokens = encode_images(model.model.visual, batch.pixels)
    n_image, n_before = image_tokens.shape[1], len(encoder.prefix)
    template = encoder.sample_template(rng)
    pairs = [encoder.encode(question, template, rng) for question in batch.questions]
    length = max(len(question) + len(answer) for question, answer in pairs)
    ids = torch.full((len(pairs), length), encoder.tokenizer.pad_token_id)
    for row, (question, answer) in enumerate(pairs):
        ids[row, : len(question) + len(answer)] = torch.tensor(question + answer)
    embed = model.get_input_embeddings()
    prefix = embed(torch.tensor(encoder.prefix)).expand(len(pairs), -1, -1)
    images = image_tokens[torch.tensor([question.image for question in batch.questions])]
    inputs = torch.cat((prefix, images, embed(ids)), dim=1)
    positions = position_ids(n_before, rows, columns, inputs.shape[1])[:, None].expand(-1, len(pairs), -1)
    states = model.model.language_model(inputs_embeds=inputs, position_ids=positions, use_cache=False).last_hidden_state
    states = states[:, n_before + n_image :]
    starts = torch.tensor([len(question) for question, _ in pairs])
    lengths = torch.tensor([len(answer) for _, answer in pairs])
    before = (starts[:, None] - 1 + torch.arange(int(lengths.max()))).clamp(max=length - 1)
    answer_states = states.gather(1, before[:, :, None].expand(-1, -1, states.shape[2]))
    answer_ids = ids.gather(1, (before + 1).clamp(max=length - 1))
    return BatchOutput(template, image_tokens, states, starts, lengths, answer_states, answer_ids)


def tenths_distribution(probabilities: torch.Tensor) -> torch.Tensor:
    """Return distributions (n, 11) over the tenths from 0 to 1 with the mean ``probabilities`` (n,).

    Only the two nearest tenths have weight.
    """
    goal = probabilities.clamp(0, 1) * 10
    low = goal.floor().clamp(max=9)
    fraction = goal - low
    target = torch.zeros(len(probabilities), 11).scatter(1, low.long()[:, None], (1 - fraction)[:, None])
    return target.scatter_add(1, low.long()[:, None] + 1, fraction[:, None])


def compute_loss(
    model: Any,
    encoder: QuestionEncoder,
    batch: Batch,
    rng: np.random.Generator,
    auxiliary_heads: AuxiliaryHeads | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss and the expected scores (n questions,).

    With ``auxiliary_heads`` the targets are the readout's probabilities, and the loss has an auxiliary part; without
    them the targets are the labels.
    """
    template, image_tokens, states, starts, lengths, answer_states, answer_ids = run_batch(model, encoder, batch, rng)
    logprobs = model.lm_head(answer_states).log_softmax(dim=-1)  # of the next token at each step of the answer
    y = torch.tensor([question.label for question in batch.questions])
    weights = torch.tensor([question.weight for question in batch.questions])
    is_tenth = answer_ids[:, 0] == encoder.zero  # a digit follows only after "0."
    auxiliary: Any = 0.0
    if auxiliary_heads:
        y = auxiliary_heads.readout_probabilities(image_tokens, batch)
        auxiliary = _auxiliary_loss(states, starts, is_tenth, y, weights, auxiliary_heads)
    if template == YES_NO:
        no_yes = logprobs[:, 0, [encoder.no, encoder.yes]]
        scores = no_yes.softmax(dim=-1)[:, 1]
        fit = functional.binary_cross_entropy(scores, y, reduction="none") - 0.3 * no_yes.logsumexp(dim=-1)
        score_loss, end_loss = (fit * weights).sum() / weights.sum(), -logprobs[:, 1, encoder.end].mean()
        return score_loss + 0.2 * end_loss + auxiliary, scores.detach()
    first = logprobs[:, 0, [encoder.zero, encoder.one]]
    digit = logprobs[:, 2, encoder.digits]
    first_probabilities = first.softmax(dim=-1)
    values = torch.arange(10) / 10
    scores = first_probabilities[:, 1] + first_probabilities[:, 0] * (digit.softmax(dim=-1) * values).sum(dim=-1)
    target = tenths_distribution(y)
    below_one = target[:, :10].sum(dim=1)
    cross_entropy = -(target[:, 10] * first[:, 1] + below_one * first[:, 0])
    cross_entropy = cross_entropy - (target[:, :10] * digit).sum(dim=1)
    is_reason = torch.arange(answer_ids.shape[1])[None] < lengths[:, None]
    is_reason[:, 0] = False
    is_reason[:, 2] &= ~is_tenth
    reason_loss = -(logprobs.gather(2, answer_ids[:, :, None])[:, :, 0] * is_reason).sum() / is_reason.sum()
    weight = weights * is_tenth
    score_loss = (cross_entropy * weight).sum() / weight.sum()
    return score_loss + 0.2 * reason_loss + auxiliary, scores.detach()


def _auxiliary_loss(
    states: torch.Tensor,
    starts: torch.Tensor,
    is_tenth: torch.Tensor,
    y: torch.Tensor,
    weights: torch.Tensor,
    auxiliary_heads: AuxiliaryHeads,
) -> torch.Tensor:
    """Return the error of the label head, against y (n,), at every token after the event text.

    This is a hundred times the signal of one digit.
    """
    y, weights = y[:, None], weights[:, None]
    logits = auxiliary_heads.label(states)[:, :, 0]
    errors = functional.binary_cross_entropy_with_logits(logits, y.expand_as(logits), reduction="none")
    index, text_end = torch.arange(states.shape[1])[None], torch.clamp(starts - 4, max=TEXT_END)[:, None]
    mask = ((index < starts[:, None]) & (index >= text_end)) * weights
    last = (starts - 1)[:, None]
    dense = 0.5 * (errors * mask).sum() / mask.sum() + (errors.gather(1, last) * weights).sum() / weights.sum()
    digit, digit_weights = (starts + 1)[:, None], is_tenth[:, None] * weights  # the label is needed there again
    digit_errors = (errors.gather(1, digit) * digit_weights).sum() / digit_weights.sum().clamp(min=1.0)
    result: torch.Tensor = dense + 0.5 * digit_errors
    return result


BatchSource = Callable[[np.random.Generator], Iterator[tuple[Batch, ...]]]


def train(
    source: BatchSource, unseen: BatchSource, start_from: Path, out: Path, *, steps: int, seed: int = 0,
    threads: int = 2, rate: float = 1e-3, text_only: float = 0.3, n_eval: int = 4,
) -> None:  # fmt: skip
    """Train the language model for ``steps`` and write ``out/answers.pt``; resume from a checkpoint there.

    :param start_from: checkpoint of the tower, which stays as it is.
    :param text_only: fraction of batches whose questions hold only the event text.
    :param n_eval: number of batches of ``unseen`` that the evaluation takes.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer.build_tokenizer()
    model, encoder, auxiliary_heads = build_model(tokenizer), QuestionEncoder(tokenizer, text_only), AuxiliaryHeads()
    initial = torch.load(start_from, weights_only=True)
    model.model.visual.load_state_dict(initial["tower"])
    auxiliary_heads.heads.load_state_dict(initial["heads"])
    initialise_attention(model, auxiliary_heads.heads, tokenizer)
    model.model.visual.requires_grad_(False)
    trainable = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    optimiser = Optimiser([([*trainable, *auxiliary_heads.label.named_parameters()], rate)], steps=steps)
    first_step, checkpoint = 0, out / "answers.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        auxiliary_heads.load_state_dict(state["auxiliary_heads"])
        optimiser.load(state["optimiser"])
        first_step = state["step"]
    rng = np.random.default_rng([seed, first_step])
    batches = source(rng)
    losses: list[float] = []
    start = time.time()
    for step in range(first_step, steps):
        model.train()
        step_losses = []
        for batch in next(batches):
            value, _ = compute_loss(model, encoder, batch, rng, auxiliary_heads)
            value.backward()
            step_losses.append(value.item())
        optimiser.step()
        losses.append(float(np.mean(step_losses)))
        if step % 25 == 24:
            seconds = (time.time() - start) / 25
            print(f"step {step + 1} loss {np.mean(losses):.3f} {seconds:.2f} s", flush=True)
            losses, start = [], time.time()
        if step % 100 == 99 or step + 1 == steps:
            print_evaluation(model, QuestionEncoder(tokenizer), unseen, n_eval)
            state = {"model": model.state_dict(), "auxiliary_heads": auxiliary_heads.state_dict()}
            torch.save({**state, "optimiser": optimiser.state(), "step": step + 1}, checkpoint)


@torch.no_grad()
def print_evaluation(model: Any, encoder: QuestionEncoder, unseen: BatchSource, n_batches: int = 4) -> None:
    """Print AUC (pooled, mean, per class) and calibration on unseen images; calibration is the mean label per fifth."""
    rng = np.random.default_rng(99)
    batches = unseen(rng)
    pairs = [next(batches) for _ in range(n_batches)]
    for kind, name in enumerate(("key", "squares")):
        batch_scores, labels, classes = [], [], []
        for pair in pairs:
            _, batch_score = compute_loss(model, encoder, pair[kind], rng)
            batch_scores.append(batch_score)
            labels += [question.label for question in pair[kind].questions]
            classes += [question.class_name for question in pair[kind].questions]
        scores, y = torch.cat(batch_scores), torch.tensor(labels)
        per_class = []
        for class_name in CLASS_NAMES:
            of_class = torch.tensor([name == class_name for name in classes])
            per_class += auc_per_class(scores[of_class, None], y[of_class, None])
        fifths = [(scores >= k / 5) & (scores < k / 5 + 0.2) for k in range(5)]
        calibration = [f"{float(y[fifth].mean()):.2f}" if fifth.any() else "-" for fifth in fifths]
        print(f"  unseen {name}: pooled {auc_per_class(scores[:, None], y[:, None])[0]:.3f} "
              f"mean {np.nanmean(per_class):.3f} {np.round(per_class, 2).tolist()} "
              f"mean label by fifth of score {' '.join(calibration)}", flush=True)  # fmt: skip
