"""``python -m anyanomaly_llavapp.export``: LLaVA++ as a folder that transformers and vLLM read unchanged."""

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
from anyanomaly_llavapp.checkpoint import Layout, read_layout
from anyanomaly_llavapp.model import tokenizer_of
from anyanomaly_llavapp.options import LlavaPpOptions
from anyanomaly_llavapp.profiles import LLAVA_PP

if TYPE_CHECKING:
    from torch import Tensor

RESERVED = re.compile(r"<\|reserved_special_token_\d+\|>")
PROFILE = LLAVA_PP["recommended"]
TURN = "<|start_header_id|>user<|end_header_id|>\n\n"
# As the backend asks: BETWEEN images and question, a system text of the request before the question.
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

    A reserved token of LLaMA-3, which no text has, stands for an image, so the embeddings stay as they are.

    :param tower: the image tower, where it is not the one that the checkpoint names.
    :raises AnyAnomalyError: when ``source`` is another model, or a file of it is missing or broken.
    """
    if target.exists():
        raise OutputError(f"{str(target)!r} is there already. Name a folder that is not.")
    import torch
    from transformers import GenerationConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    with quiet_logs(), translate_errors(source):
        layout = read_layout(source, revision, tower)
        tokenizer = tokenizer_of(layout)
        mark = _image_mark(tokenizer, source)
        tensors = dict(_named(layout))
        sees, strategy = layout.clip.config, "full" if layout.keep_first else "default"
        layout.config.architectures = ["LlamaForCausalLM"]  # vLLM looks there
        config = LlavaConfig(
            vision_config=sees,
            text_config=layout.config,
            image_token_id=tokenizer.convert_tokens_to_ids(mark),
            image_seq_length=(sees.image_size // sees.patch_size) ** 2 + layout.keep_first,
            vision_feature_layer=layout.layer,
            vision_feature_select_strategy=strategy,
            dtype=layout.config.dtype,
        )
        with torch.device("meta"):
            model = LlavaForConditionalGeneration(config)
        check_weights(model, tensors, f"the model {source!r}")
        model.generation_config = GenerationConfig(
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.convert_tokens_to_ids([tokenizer.eos_token, *PROFILE.stop_tokens]),
            pad_token_id=tokenizer.pad_token_id,
        )
        reader = LlavaProcessor(
            clip_processor(layout.clip.preprocessing, pad=layout.pad),
            tokenizer,
            patch_size=sees.patch_size,
            vision_feature_select_strategy=strategy,
            num_additional_image_tokens=1,  # the class token
            image_token=mark,
            chat_template=_template(tokenizer, layout.marks, mark),
        )
        files = rename_tensors(
            tensors, lambda name: name.replace("vision_tower.", "vision_tower.vision_model.")
        )  # for vLLM
        model.save_pretrained(target, state_dict=files)
        reader.save_pretrained(target)


def _image_mark(tokenizer: Any, source: str) -> str:
    """Return the last reserved token, the least likely to have got a meaning."""
    marks: list[str] = [each.content for _, each in sorted(tokenizer.added_tokens_decoder.items())]
    reserved = [mark for mark in marks if RESERVED.fullmatch(mark)]
    if not reserved:
        raise UsageError(
            f"The tokenizer of {source!r} has no reserved token that could stand for an image, so it is not LLaMA-3's. "
            "LLaVA-1.5 is published in transformers' layout as llava-hf/llava-1.5-7b-hf."
        )
    return reserved[-1]


def _named(layout: Layout) -> Iterator[tuple[str, Tensor]]:
    for name, value in layout.language.items():
        yield name if name.startswith("lm_head.") else f"model.language_model.{name.removeprefix('model.')}", value
    for name, value in layout.projector.items():
        place, leaf = name.split(".")
        yield f"model.multi_modal_projector.linear_{int(place) // 2 + 1}.{leaf}", value
    for name, value in layout.tower.items():
        yield f"model.vision_tower.{name}", value


def _template(tokenizer: Any, around: tuple[str, ...], mark: str) -> str:
    """Return a chat template that makes the backend's prompts; it begins with what the tokenizer puts before a text."""
    begin = tokenizer.decode(tokenizer("")["input_ids"])
    values = {
        "HEAD": begin + PROFILE.before.removesuffix(TURN),
        "BETWEEN": PROFILE.between,
        "IMAGE": mark.join(around[-2:]) if around else mark,
    }
    template: str = re.sub("|".join(values), lambda found: json.dumps(values[found[0]]), TEMPLATE)
    return template


def main() -> int:
    """Export what the command line names; return the exit code."""
    options = LlavaPpOptions()
    parser = argparse.ArgumentParser(prog="python -m anyanomaly_llavapp.export", description=export.__doc__)
    parser.add_argument("source", help=f"hub id or folder of the original layout, such as {options.model}")
    parser.add_argument("target", type=Path, help="folder to write, which is not there yet")
    parser.add_argument("--revision", default=options.revision)
    parser.add_argument("--tower", default="", help="CLIP, where it is not the one that the checkpoint names")
    given = parser.parse_args()
    try:
        export(given.source, given.target, revision=given.revision, tower=given.tower)
    except AnyAnomalyError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
