"""Timelines as images: PNG, SVG and PDF."""
