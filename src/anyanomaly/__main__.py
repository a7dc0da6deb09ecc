"""``python -m anyanomaly``."""

import os
import sys

try:
    if sys.path[0] == os.getcwd():  # added by -m; modules and plugins that lie there must not run
        del sys.path[0]
except OSError:  # the current folder does not exist any more
    pass

from anyanomaly.cli import entry

entry()
