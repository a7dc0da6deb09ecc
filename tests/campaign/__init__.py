"""The campaign: thousands of seeded, hostile cases, each judged without trusting the code under test.

A case is a class and a seed: ``python -m tests.campaign media --seed 17`` runs one, ``make campaign`` runs all and
writes the table in ``docs/reliability.md``. A class is a module of ``classes`` with a function ``play(stage)``: it
makes inputs from ``stage.random``, runs commands through ``stage.run``, and checks what they did. Every command is also
checked by ``judge``.
"""
