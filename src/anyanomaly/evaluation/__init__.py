"""One configuration measured on one labelled dataset.

``dataset_run`` runs the videos of a dataset; ``scores`` reads segment scores and aligns them with the labels;
``dataset_check`` looks a dataset over without a model; ``hardware`` describes the machine that a result is from.
"""
