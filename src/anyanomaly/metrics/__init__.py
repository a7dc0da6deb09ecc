"""How well scores tell labelled frames from others, and how sure that is. Reads no file and runs no model.

``values`` what is measured; ``areas`` AUC, AP, EER, F1; ``resampling`` intervals and paired comparisons; ``search``
many mixes of contexts at once; ``published`` the published arithmetic; ``protocols`` what may be chosen on which
labels; ``detections`` recall, delay and false alarms of events. scikit-learn and SciPy (``anyanomaly[eval]``) are
imported when they are first needed.
"""
