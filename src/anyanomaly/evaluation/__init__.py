"""One configuration measured on one labelled dataset.

``evaluate`` combines the steps, for Python users. ``dataset_run`` runs the videos; ``scores`` has segment scores, from
a run or from its files; ``unasked`` gives a score to what was not asked; ``alignment`` matches scores and labels frame
by frame; ``measurement`` measures them; ``result`` is the typed result. ``score_settings`` applies other settings to
existing scores; ``dataset_check`` checks a dataset without a model; ``hardware`` describes the machine.

``budget_curve`` replays stored scores with gates and budgets: ``gate_priorities`` rates, ``replay_budget`` chooses what
is asked, ``curve_meter`` measures it, ``yardsticks`` has what gates are compared with, ``curve_result`` is typed.
"""
