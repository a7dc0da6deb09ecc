"""The method as pure functions over the values of ``anyanomaly.types``: numpy only, no I/O, no clock, no randomness."""
