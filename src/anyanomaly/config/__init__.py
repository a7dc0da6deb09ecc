"""Settings of a run: what they are, where they come from, how they are written down."""
