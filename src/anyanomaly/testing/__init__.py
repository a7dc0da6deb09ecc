"""Tools for the tests of plugins: fakes, synthetic videos, contracts. Part of the core package."""
