"""Asserts in the helpers of these tests explain themselves, as in the tests."""

import pytest

pytest.register_assert_rewrite("tests.videos.reading")
