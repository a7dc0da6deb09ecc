"""Conversations of MiniGPT-4."""

from __future__ import annotations

from dataclasses import replace

from anyanomaly_transformers.api import Decoding, Profile

SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to you. "
    "Please answer my questions."
)
PAPER = Profile(  # the published scorer uses the conversation of the first Vicuna with the LLaMA-2 model
    "paper",
    before=f"{SYSTEM}###Human: ",
    image_open="<Img>",
    image_close="</Img>",
    between=" ",
    after="###Assistant: ",
    decoding=Decoding(),
)
RECOMMENDED = replace(PAPER, name="recommended", before=f"{SYSTEM}<s>[INST] ", after=" [/INST] ", decoding=None)
PROFILES = {profile.name: profile for profile in (PAPER, RECOMMENDED)}
