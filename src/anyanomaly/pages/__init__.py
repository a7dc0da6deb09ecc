"""Parts that the report, the page of `show` and the pages of `bench` share: templates, style, charts, evidence."""

from anyanomaly.pages.environment import page_environment, render_page
from anyanomaly.pages.text import clock_time, page_text, score_text, script_json

__all__ = ["clock_time", "page_environment", "page_text", "render_page", "score_text", "script_json"]
