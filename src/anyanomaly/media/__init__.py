"""Videos that a run writes: an annotated copy of the source, and a clip per event."""
