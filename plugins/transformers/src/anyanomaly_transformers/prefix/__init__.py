"""Models that are an image prefix and a causal language model: one backend for all, what differs in plugins.

::

    Query --PrefixModel.pieces--> token ids and ImageSlots
    images of the slots --PrefixModel.encode_images--> embeddings, each distinct group of images once a batch
    both --language.rows, language.pad--> a batch, padded on the left
    batch --language.generate, scoring.choice_logprobs--> Answer

A model plugin writes ``load_model`` of `PrefixBackend`, with what `checkpoint` offers to read original layouts.
"""
