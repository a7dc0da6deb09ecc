"""The browser for the tests of pages."""

from tests.support.browser import browser

__all__ = ["browser"]
