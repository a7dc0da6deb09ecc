"""Runs the contracts on any installed component, without test code."""
