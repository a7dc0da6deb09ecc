"""The method over streams, in the order of the data.

``plan`` makes segments, key frames, contexts and queries; ``lookahead`` runs it in advance on a thread;
``stored_answers`` answers from the ``store`` or asks the backend; ``collect`` reads and fuses scores; ``reasons``
asks for reasons; ``evidence`` keeps pictures of what was asked; ``track`` makes timelines, events and evidence;
``outputs`` writes to the sinks; ``run`` is the loop. ``caching_encoder`` caches vectors of the
encoder, ``clock`` measures the stages, and ``observer`` passes queries and answers to other code.
"""
