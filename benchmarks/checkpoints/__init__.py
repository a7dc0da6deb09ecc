"""Checkpoints of the published sizes with random weights, in the layouts of the originals."""
