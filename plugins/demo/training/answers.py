"""Trains the language model to answer the method's questions, with the tower at half its rate.

The answer is "0.7. The image shows a bicycle.": "0" or "1", a point, a digit, a reason that follows from the score.
The tower's readout already says how likely each class is, from the same tokens that the language model reads. That is
what it learns to say, in tenths: a teacher without noise, where labels alone left it near the prior.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tokens
import torch
import tower as tower_module
from asking import YES_NO, Batch, Talk
from draw import NAMES
from matching import lay_out
from steps import Optimiser
from torch.nn import functional
from tower import WIDTH, Heads, auc, see


def config(tokenizer: Any) -> Any:
    """Return the configuration of the whole model."""
    from transformers import Qwen2_5_VLConfig

    ids = {f"{name}_token_id": tokenizer.convert_tokens_to_ids(mark) for name, mark in (
        ("image", "<|image_pad|>"), ("video", "<|video_pad|>"),
        ("vision_start", "<|vision_start|>"), ("vision_end", "<|vision_end|>"))}  # fmt: skip
    text = {
        "vocab_size": len(tokenizer), "hidden_size": WIDTH, "intermediate_size": 384, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
        "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.05, "tie_word_embeddings": False,
    }  # fmt: skip
    return Qwen2_5_VLConfig(
        text_config=text, vision_config=tower_module.config().to_dict(), tie_word_embeddings=False, **ids
    )


def build(tokenizer: Any) -> Any:
    """Return the model."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    return Qwen2_5_VLForConditionalGeneration(config(tokenizer))


def positions(n_before: int, rows: int, columns: int, length: int) -> torch.Tensor:
    """Return Qwen2.5-VL's positions (3, length): text counts on, an image's tokens have a row and a column."""
    at = torch.arange(length).repeat(3, 1)
    n_image = rows * columns
    place = torch.arange(n_image)
    at[:, n_before : n_before + n_image] = n_before + torch.stack(
        (torch.zeros_like(place), place // columns, place % columns)
    )
    at[:, n_before + n_image :] = n_before + max(rows, columns) + torch.arange(length - n_before - n_image)
    return at


NAMED = 25
"""From this token on a question has named its text."""


class Aids(torch.nn.Module):
    """What helps learning and is thrown away: the tower's readout, with which words begin to be matched, and what
    every token of a question, once it has named its text, has to say: whether that is there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heads = Heads()
        self.there = torch.nn.Linear(WIDTH, 1)

    @torch.no_grad()
    def chances(self, seen: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return what the tower's readout says of each question (n,)."""
        every = torch.logsumexp(self.heads.image(seen), dim=1).sigmoid().tolist()
        return torch.tensor([every[a.image][NAMES.index(a.name)] if a.name else 0.0 for a in batch.questions])


class Heard(NamedTuple):
    """What the model made of a batch of questions, all asked with one template."""

    template: str
    seen: torch.Tensor  # the images' tokens (n images, tokens, WIDTH)
    states: torch.Tensor  # of question and answer (n, longest, WIDTH)
    starts: torch.Tensor  # where the answers begin (n,)
    lengths: torch.Tensor  # of the answers (n,)
    saying: torch.Tensor  # states before each token of the answers (n, longest answer, WIDTH)
    wanted: torch.Tensor  # the tokens of the answers (n, longest answer)


def hear(model: Any, talk: Talk, batch: Batch, rng: np.random.Generator) -> Heard:
    """Ask the questions of a batch, with answers that could be right behind them."""
    rows, columns = batch.pixels.shape[2] // 28, batch.pixels.shape[3] // 28
    seen = see(model.model.visual, batch.pixels)
    n_seen, n_before = seen.shape[1], len(talk.before)
    template = talk.draw(rng)
    pairs = [talk.after(asked, template, rng) for asked in batch.questions]
    length = max(len(q) + len(a) for q, a in pairs)
    ids = torch.full((len(pairs), length), talk.tokenizer.pad_token_id)
    for row, (question, answer) in enumerate(pairs):
        ids[row, : len(question) + len(answer)] = torch.tensor(question + answer)
    embed = model.get_input_embeddings()
    before = embed(torch.tensor(talk.before)).expand(len(pairs), -1, -1)
    images = seen[torch.tensor([asked.image for asked in batch.questions])]
    inputs = torch.cat((before, images, embed(ids)), dim=1)
    at = positions(n_before, rows, columns, inputs.shape[1])[:, None].expand(-1, len(pairs), -1)
    states = model.model.language_model(inputs_embeds=inputs, position_ids=at, use_cache=False).last_hidden_state
    states = states[:, n_before + n_seen :]
    starts = torch.tensor([len(q) for q, _ in pairs])
    lengths = torch.tensor([len(a) for _, a in pairs])
    places = (starts[:, None] - 1 + torch.arange(int(lengths.max()))).clamp(max=length - 1)
    saying = states.gather(1, places[:, :, None].expand(-1, -1, states.shape[2]))
    return Heard(template, seen, states, starts, lengths, saying, ids.gather(1, (places + 1).clamp(max=length - 1)))


def tenths_near(chance: torch.Tensor) -> torch.Tensor:
    """Return what to say of chances (n,): the tenths on either side, as likely as they are near (n, 11)."""
    goal = chance.clamp(0, 1) * 10
    low = goal.floor().clamp(max=9)
    part = goal - low
    target = torch.zeros(len(chance), 11).scatter(1, low.long()[:, None], (1 - part)[:, None])
    return target.scatter_add(1, low.long()[:, None] + 1, part[:, None])


def loss(
    model: Any, talk: Talk, batch: Batch, rng: np.random.Generator, aids: Aids | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss and the expected scores (n_questions,)."""
    template, seen, states, starts, lengths, saying, wanted = hear(model, talk, batch, rng)
    logprobs = model.lm_head(saying).log_softmax(dim=-1)  # what comes at each step of the answer
    y = torch.tensor([asked.y for asked in batch.questions])
    weights = torch.tensor([asked.weight for asked in batch.questions])
    tenths = wanted[:, 0] == talk.zero  # only after "0." is the digit asked for
    aside: Any = 0.0
    if aids:
        y = aids.chances(seen, batch)
        aside = _aside(states, starts, tenths, y, weights, aids)
    if template == YES_NO:
        both = logprobs[:, 0, [talk.no, talk.yes]]
        s = both.softmax(dim=-1)[:, 1]
        fit = functional.binary_cross_entropy(s, y, reduction="none") - 0.3 * both.logsumexp(dim=-1)
        scored, ends = (fit * weights).sum() / weights.sum(), -logprobs[:, 1, talk.end].mean()
        return scored + 0.2 * ends + aside, s.detach()
    first = logprobs[:, 0, [talk.zero, talk.one]]
    digit = logprobs[:, 2, talk.digits]
    share = first.softmax(dim=-1)
    values = torch.arange(10) / 10
    s = share[:, 1] + share[:, 0] * (digit.softmax(dim=-1) * values).sum(dim=-1)
    target = tenths_near(y)
    rest = target[:, :10].sum(dim=1)
    words = -(target[:, 10] * first[:, 1] + rest * first[:, 0])
    words = words - (target[:, :10] * digit).sum(dim=1)
    free = torch.arange(wanted.shape[1])[None] < lengths[:, None]
    free[:, 0] = False
    free[:, 2] &= ~tenths
    reason = -(logprobs.gather(2, wanted[:, :, None])[:, :, 0] * free).sum() / free.sum()
    weight = weights * tenths
    scored = (words * weight).sum() / weight.sum()
    return scored + 0.2 * reason + aside, s.detach()


def _aside(
    states: torch.Tensor, starts: torch.Tensor, tenths: torch.Tensor, y: torch.Tensor, weights: torch.Tensor, aids: Aids
) -> torch.Tensor:
    """Return what every token after the text gets wrong of the chances y (n,), as a part of the loss.

    It is a hundred times the signal of one digit.
    """
    y, weights = y[:, None], weights[:, None]
    said = aids.there(states)[:, :, 0]
    each = functional.binary_cross_entropy_with_logits(said, y.expand_as(said), reduction="none")
    at, named = torch.arange(states.shape[1])[None], torch.clamp(starts - 4, max=NAMED)[:, None]
    mask = ((at < starts[:, None]) & (at >= named)) * weights
    last = (starts - 1)[:, None]
    dense = 0.5 * (each * mask).sum() / mask.sum() + (each.gather(1, last) * weights).sum() / weights.sum()
    digit, ours = (starts + 1)[:, None], tenths[:, None] * weights  # where the digit comes next, it has to be known too
    result: torch.Tensor = dense + 0.5 * (each.gather(1, digit) * ours).sum() / ours.sum().clamp(min=1.0)
    return result


Source = Callable[[np.random.Generator], Iterator[tuple[Batch, ...]]]


def train(
    source: Source, unseen: Source, start_from: Path, out: Path, *, steps: int, seed: int = 0, threads: int = 2,
    rate: float = 1e-3, short: float = 0.3,
) -> None:  # fmt: skip
    """Train the language model for ``steps``; the tower stays as it is. Goes on from a checkpoint in ``out``.

    :param start_from: the tower.
    :param short: share of batches that ask with the text alone.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = tokens.build()
    model, talk, aids = build(tokenizer), Talk(tokenizer, short), Aids()
    begin = torch.load(start_from, weights_only=True)
    model.model.visual.load_state_dict(begin["tower"])
    aids.heads.load_state_dict(begin["heads"])
    lay_out(model, aids.heads, tokenizer)
    model.model.visual.requires_grad_(False)
    words = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    optimiser = Optimiser([([*words, *aids.there.named_parameters()], rate)], steps=steps)
    first, checkpoint = 0, out / "answers.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        aids.load_state_dict(state["aids"])
        optimiser.load(state["optimiser"])
        first = state["step"]
    rng = np.random.default_rng([seed, first])
    batches = source(rng)
    held: list[float] = []
    began = time.time()
    for step in range(first, steps):
        model.train()
        losses = []
        for batch in next(batches):
            value, _ = loss(model, talk, batch, rng, aids)
            value.backward()
            losses.append(value.item())
        optimiser.step()
        held.append(float(np.mean(losses)))
        if step % 25 == 24:
            pace = (time.time() - began) / 25
            print(f"step {step + 1} loss {np.mean(held):.3f} {pace:.2f} s", flush=True)
            held, began = [], time.time()
        if step % 100 == 99 or step + 1 == steps:
            look(model, Talk(tokenizer), unseen)
            torch.save({"model": model.state_dict(), "aids": aids.state_dict(), "optimiser": optimiser.state(),
                        "step": step + 1}, checkpoint)  # fmt: skip


@torch.no_grad()
def look(model: Any, talk: Talk, unseen: Source) -> None:
    """Print the AUC per class and the calibration on what was not trained on."""
    rng = np.random.default_rng(99)
    batches = unseen(rng)
    pairs = [next(batches) for _ in range(4)]
    for kind, name in enumerate(("key", "squares")):
        scores, labels, classes = [], [], []
        for pair in pairs:
            _, s = loss(model, talk, pair[kind], rng)
            scores.append(s)
            labels += [asked.y for asked in pair[kind].questions]
            classes += [asked.name for asked in pair[kind].questions]
        s, y = torch.cat(scores), torch.tensor(labels)
        per = []
        for n in NAMES:
            mine = torch.tensor([c == n for c in classes])
            per += auc(s[mine, None], y[mine, None])
        table = [
            f"{float(y[mine].mean()):.2f}" if (mine := (s >= k / 5) & (s < k / 5 + 0.2)).any() else "-"
            for k in range(5)
        ]
        print(f"  unseen {name}: pooled {auc(s[:, None], y[:, None])[0]:.3f} mean {np.nanmean(per):.3f} "
              f"{np.round(per, 2).tolist()} truth by fifth of score {' '.join(table)}", flush=True)  # fmt: skip
