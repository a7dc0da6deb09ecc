"""The method over streams, in the order of the data.

``plan`` makes segments, key frames, contexts and queries (``planned`` has what it makes), after ``gating`` has rated
the segments; ``lookahead`` runs it in advance on a thread; ``asking`` asks a plan and what follows from its answers;
``stored_answers`` answers from the ``store`` or asks the backend; ``collect`` reads and fuses scores, and decides what
follows; ``evidence`` keeps pictures of what was asked; ``writing`` makes outcomes of scores: ``track`` has the
timelines, events and evidence, ``outputs`` writes to the sinks; ``run`` is the loop, and ``budgeted`` that of a run
with a budget over recordings, which reads segments again with ``rated``. ``caching_encoder`` caches vectors of the
encoder, ``clock`` measures the stages, ``run_report`` counts, ``observer`` passes queries and answers to other code.
"""
