"""The contracts over any installed component, without code."""
