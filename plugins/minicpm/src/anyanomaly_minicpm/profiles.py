"""How MiniCPM-V is spoken to."""

from __future__ import annotations

from anyanomaly_transformers.api import Decoding, Profile

# The conversation is the checkpoint's chat template. What the original does without sampling is not greedy.
PROFILES = {
    "paper": Profile("paper", before="", after="", decoding=Decoding(num_beams=3, repetition_penalty=1.2)),
    "recommended": Profile("recommended", before="", after=""),
}
