"""Conversations of LLaVA++, LLaVA-1.5 and Video-ChatGPT: those of their own code, and of the published scorer."""

from __future__ import annotations

from dataclasses import replace

from anyanomaly_transformers.api import Decoding, Profile

_HELPFUL = "The assistant gives helpful, detailed, and polite answers to the {0}'s questions."
_CHAT = f"A chat between a curious {{0}} and an artificial intelligence assistant. {_HELPFUL}"

_LLAMA3 = Profile(
    "recommended",
    before="<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
    + _CHAT.format("user")
    + "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n",
    between="\n",
    after="<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    stop_tokens=("<|eot_id|>",),
)

LLAVA_PP = {
    "paper": replace(_LLAMA3, name="paper", decoding=Decoding(temperature=0.2, top_p=0.7)),
    "recommended": _LLAMA3,
}

_VICUNA = Profile("recommended", before=_CHAT.format("user") + " USER: ", between="\n", after=" ASSISTANT:")

LLAVA = {
    "paper": replace(
        _VICUNA, name="paper", before=_CHAT.format("human") + " USER: ", decoding=Decoding(temperature=0.2)
    ),
    "recommended": _VICUNA,
}

_VIDEO = Profile(
    "recommended",
    before="You are Video-ChatGPT, a large vision-language assistant. "
    "You are able to understand the video content that the user provides, and assist the user with a variety of tasks "
    "using natural language."  # the original lacks the space here
    "Follow the instructions carefully and explain your answers in detail based on the provided video. USER: ",
    between="\n",
    question_first=True,
    after=" ASSISTANT:",
)

VIDEO_CHATGPT = {"paper": replace(_VIDEO, name="paper", decoding=Decoding(temperature=0.2)), "recommended": _VIDEO}
