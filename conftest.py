"""For all tests: Ctrl-C works. A shell that starts pytest in the background has it ignored, in children too."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
