"""The browser for the tests of the report."""

from tests.support.browser import browser

__all__ = ["browser"]
