"""A recipe, that is a matrix of configurations over data sets, to tables and a plot.

``recipe`` what a recipe says; ``cells`` the configurations it stands for; ``ledger`` finished cells on disk;
``work`` runs cells in a process of their own, which ``bench`` starts and outlives; ``speed`` and ``memory`` measure;
``facts`` published figures; ``tables``, ``render`` and ``plot`` show.
"""
