"""One configuration measured on one labelled dataset.

``evaluate`` combines the steps, for Python users. ``dataset_run`` runs the videos; ``scores`` has segment scores, from
a run or from its files; ``alignment`` matches scores and labels frame by frame; ``measurement`` measures them;
``result`` is the typed result. ``budget_curve`` replays stored scores with gates and budgets: ``gate_priorities`` rates,
``replay_budget`` chooses what is asked, ``curve_meter`` measures it against the labels and ``yardsticks``, and
``curve_result`` is typed. ``unasked`` gives scores to what was not asked. ``score_settings`` applies other settings to existing scores; ``dataset_check`` checks a
dataset without a model; ``hardware`` describes the machine.
"""
