"""Several questions about the same images: system text and images are evaluated once, each question continues there.

``prompts`` finds the beginning that prompts share, from the system text to their last image, which is called their
head; ``heads`` evaluates heads and keeps the last ones; ``questions`` continues from them, in batches.
"""
