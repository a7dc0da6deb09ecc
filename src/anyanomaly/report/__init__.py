"""The HTML report: timelines, events with what the model saw and said, and a player, in one file."""
