"""The method as pure functions over the values: numpy only; no I/O, no clock, no randomness without a seed."""
