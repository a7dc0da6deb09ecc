"""How well scores separate positive from negative frames, and how certain that is. Nothing here reads files or models.

``values``: scores and labels of a class. ``frame_metrics``: AUC, AP, EER, F1. ``protocols``: what may be chosen on
which labels. ``search``: AUCs of many mixes of contexts at once. ``published``: the published arithmetic.
``resampling``: bootstrap intervals and paired comparisons. ``detections``: recall, delay and false alarms of events.
``estimates``: all protocols with intervals and null distributions. scikit-learn and SciPy (``anyanomaly[eval]``) are
imported on first use.
"""
