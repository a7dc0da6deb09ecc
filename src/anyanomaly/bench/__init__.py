"""Run a recipe, that is a matrix of configurations on datasets, and write tables and a plot.

``recipe``: what a recipe holds; ``overrides``: changes to it from the command line; ``cells``: its configurations;
``bench``: runs cells in processes of ``worker``, with ``ledger`` for finished cells on disk; ``speed`` and ``memory``:
measurements; ``cell_result``: what a cell gives; ``facts``: published figures; ``results``: both, looked up for
``tables``, ``speed_table``, ``render``, ``plot`` and ``report``.
"""
