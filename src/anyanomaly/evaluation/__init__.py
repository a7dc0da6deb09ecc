"""One configuration measured on one labelled dataset.

``evaluate`` does all of it, for Python users. ``dataset_run`` runs the videos; ``scores`` holds segment scores, from a
run or from its files; ``alignment`` brings scores and labels to the same frames; ``measurement`` measures them;
``result`` is the typed result. ``score_settings`` applies other settings to existing scores; ``dataset_check`` checks a
dataset without a model; ``hardware`` describes the machine.
"""
