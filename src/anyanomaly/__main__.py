"""``python -m anyanomaly``."""

from anyanomaly.cli import entry

entry()
