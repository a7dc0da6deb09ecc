"""For all tests: Ctrl-C works, and a machine under load fails no property test.

A shell that starts pytest in the background has Ctrl-C ignored, in children too.
"""

import signal

import pytest
from hypothesis import HealthCheck, settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

pytest.register_assert_rewrite("tests.videos.reading")  # asserts in helpers explain themselves, as in tests
