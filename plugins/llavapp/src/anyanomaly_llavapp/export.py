"""``python -m anyanomaly_llavapp.export``: write LLaVA++ as a folder that transformers and vLLM can load."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly_transformers.api import check_weights, clip_processor, quiet_logs, rename_tensors, translate_errors

from anyanomaly.errors import AnyAnomalyError, OutputError, UsageError
from anyanomaly.outside_text import terminal_line
from anyanomaly_llavapp.checkpoint import Checkpoint, read_checkpoint
from anyanomaly_llavapp.model import load_tokenizer
from anyanomaly_llavapp.options import LlavaPpOptions
from anyanomaly_llavapp.profiles import LLAVA_PP

if TYPE_CHECKING:
    from torch import Tensor

RESERVED = re.compile(r"<\|reserved_special_token_\d+\|>")
PROFILE = LLAVA_PP["recommended"]
USER_TURN = "<|start_header_id|>user<|end_header_id|>\n\n"
# The backend's prompts: BETWEEN stands between images and question, and a system text stands before the question.
TEMPLATE = """
{{- HEAD -}}
{%- set state = namespace(system='') -%}
{%- for message in messages -%}
  {%- if message['role'] == 'system' -%}
    {%- if message['content'] is string -%}
      {%- set state.system = message['content'] + '\\n' -%}
    {%- else -%}
      {%- set state.system = message['content'] | map(attribute='text') | join('\\n') + '\\n' -%}
    {%- endif -%}
  {%- else -%}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' -}}
    {%- if message['content'] is string -%}
      {{- state.system + message['content'] -}}
    {%- else -%}
      {%- for part in message['content'] -%}
        {{- '' if loop.first else BETWEEN -}}
        {{- state.system + part['text'] if part['type'] == 'text' else IMAGE -}}
      {%- endfor -%}
    {%- endif -%}
    {%- set state.system = '' -%}
    {{- '<|eot_id|>' -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}
{%- endif -%}
"""


def export(source: str, target: Path, *, revision: str = "main", tower: str = "") -> None:
    """Write LLaVA++ from ``source``, hub id or folder, to the new folder ``target``; weights keep their precision.

    A reserved token of LLaMA-3, which no text contains, stands for an image, so no embeddings are added.

    :param tower: hub id or folder of the image tower; empty: the one that the checkpoint names.
    :raises OutputError: when ``target`` exists.
    :raises AnyAnomalyError: when ``source`` is another model, or a file of it is missing or broken.
    """
    if target.exists():
        raise OutputError(f"{str(target)!r} exists already. Give a new folder.")
    import torch
    from transformers import GenerationConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    with quiet_logs(), translate_errors(source):
        checkpoint = read_checkpoint(source, revision, tower)
        tokenizer = load_tokenizer(checkpoint)
        image_token = _pick_image_token(tokenizer, source)
        tensors = dict(_named_tensors(checkpoint))
        vision_config, strategy = checkpoint.clip.config, "full" if checkpoint.keep_first else "default"
        checkpoint.config.architectures = ["LlamaForCausalLM"]  # read by vLLM
        config = LlavaConfig(
            vision_config=vision_config,
            text_config=checkpoint.config,
            image_token_id=tokenizer.convert_tokens_to_ids(image_token),
            image_seq_length=(vision_config.image_size // vision_config.patch_size) ** 2 + checkpoint.keep_first,
            vision_feature_layer=checkpoint.layer,
            vision_feature_select_strategy=strategy,
            dtype=checkpoint.config.dtype,
        )
        with torch.device("meta"):
            model = LlavaForConditionalGeneration(config)
        check_weights(model, tensors, f"the model {source!r}")
        model.generation_config = GenerationConfig(
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.convert_tokens_to_ids([tokenizer.eos_token, *PROFILE.stop_tokens]),
            pad_token_id=tokenizer.pad_token_id,
        )
        processor = LlavaProcessor(
            clip_processor(checkpoint.clip.preprocessing, pad=checkpoint.pad),
            tokenizer,
            patch_size=vision_config.patch_size,
            vision_feature_select_strategy=strategy,
            num_additional_image_tokens=1,  # the class token
            image_token=image_token,
            chat_template=_chat_template(tokenizer, checkpoint.added_tokens, image_token),
        )
        # vLLM expects "vision_model." in the names of the tower's tensors
        saved = dict(rename_tensors(tensors, lambda name: name.replace("vision_tower.", "vision_tower.vision_model.")))
        model.save_pretrained(target, state_dict=saved)
        processor.save_pretrained(target)


def _pick_image_token(tokenizer: Any, source: str) -> str:
    """Return the last reserved token: training is the least likely to have used it."""
    tokens: list[str] = [token.content for _, token in sorted(tokenizer.added_tokens_decoder.items())]
    reserved = [token for token in tokens if RESERVED.fullmatch(token)]
    if not reserved:
        raise UsageError(
            f"The tokenizer of {source!r} has no reserved token to stand for an image, so it is not LLaMA-3's. "
            "For LLaVA-1.5 use llava-hf/llava-1.5-7b-hf, which has the layout of transformers."
        )
    return reserved[-1]


def _named_tensors(checkpoint: Checkpoint) -> Iterator[tuple[str, Tensor]]:
    for name, value in checkpoint.language.items():
        yield name if name.startswith("lm_head.") else f"model.language_model.{name.removeprefix('model.')}", value
    for name, value in checkpoint.projector.items():
        index, parameter = name.split(".")
        yield f"model.multi_modal_projector.linear_{int(index) // 2 + 1}.{parameter}", value
    for name, value in checkpoint.tower.items():
        yield f"model.vision_tower.{name}", value


def _chat_template(tokenizer: Any, added_tokens: tuple[str, ...], image_token: str) -> str:
    """Return a chat template that makes the backend's prompts, including the begin-of-sequence token."""
    begin = tokenizer.decode(tokenizer("")["input_ids"])
    values = {
        "HEAD": begin + PROFILE.before.removesuffix(USER_TURN),
        "BETWEEN": PROFILE.between,
        "IMAGE": image_token.join(added_tokens[-2:]) if added_tokens else image_token,
    }
    template: str = re.sub("|".join(values), lambda match: json.dumps(values[match[0]]), TEMPLATE)
    return template


def main() -> int:
    """Export the model that the command line names; return the exit code."""
    options = LlavaPpOptions()
    parser = argparse.ArgumentParser(prog="python -m anyanomaly_llavapp.export", description=export.__doc__)
    parser.add_argument("source", help=f"hub id or folder of the original layout, such as {options.model}")
    parser.add_argument("target", type=Path, help="new folder to write")
    parser.add_argument("--revision", default=options.revision)
    parser.add_argument(
        "--tower", default="", help="hub id or folder of the CLIP; default: the one that the checkpoint names"
    )
    arguments = parser.parse_args()
    try:
        export(arguments.source, arguments.target, revision=arguments.revision, tower=arguments.tower)
    except AnyAnomalyError as error:
        print(terminal_line(f"error: {error}"), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
