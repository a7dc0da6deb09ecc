"""Run a recipe, that is a matrix of configurations on datasets, and write tables and a plot.

``recipe``: the content of a recipe; ``overrides``: changes to it from the command line; ``cells``: its configurations;
``bench``: runs cells in processes of ``worker``; ``ledger``: finished cells on disk; ``digests``: digests of weights;
``speed`` and ``memory``: measurements; ``cell_result``: the result of a cell; ``facts``: published figures;
``results``: both, looked up for
``tables``, ``speed_table``, ``render``, ``plot`` and ``report``.
"""
