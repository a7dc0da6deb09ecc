"""Conversations of Chat-UniVi: the published scorer and the authors' examples use the same one."""

from __future__ import annotations

from dataclasses import replace

from anyanomaly_transformers.api import Decoding, Profile

RECOMMENDED = Profile(
    "recommended",
    before="A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions."
    "###Human: Hi!###Assistant: Hi there! How can I help you today?###Human: ",
    between="\n",
    after="###Assistant:",
    stop_strings=("###",),
)
PROFILES = {"recommended": RECOMMENDED, "paper": replace(RECOMMENDED, name="paper", decoding=Decoding())}
