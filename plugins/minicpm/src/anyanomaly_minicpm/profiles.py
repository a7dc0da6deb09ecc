"""Conversations of MiniCPM-V."""

from __future__ import annotations

from anyanomaly_transformers.api import Decoding, Profile

# The conversation is the checkpoint's chat template. Without sampling, the original uses beam search.
PROFILES = {
    "paper": Profile("paper", before="", after="", decoding=Decoding(num_beams=3, repetition_penalty=1.2)),
    "recommended": Profile("recommended", before="", after=""),
}
