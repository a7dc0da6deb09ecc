"""Models of an image encoder and a causal language model: one backend for all, and a plugin per model.

::

    Query --PrefixModel.pieces--> token ids and ImageSlots
    images of the slots --PrefixModel.encode_images--> embeddings, each distinct group of images once per batch
    both --prompts.embed_prompt, prompts.pad_batch--> a batch, padded on the left
    batch --generation.generate or scoring.choice_logprobs--> Answer

A plugin writes ``PrefixBackend.load_model``; `checkpoint`, `clip` and `loading` read the original layouts of weights.
"""
