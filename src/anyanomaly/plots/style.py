"""Colours, lines and hatches of plots: distinct for the colour-blind (Okabe-Ito) and in grey."""

from __future__ import annotations

from typing import Any

SMOOTH_STYLE: dict[str, Any] = {"color": "#0072B2", "lw": 1.7, "ls": "-", "zorder": 4}
RAW_STYLE: dict[str, Any] = {"color": "#56B4E9", "lw": 0.9, "ls": "-", "zorder": 3, "drawstyle": "steps-post"}
CONTEXT_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#CC79A7", "lw": 0.8, "ls": (0, (1, 1.2)), "zorder": 2.4, "drawstyle": "steps-post"},
    {"color": "#009E73", "lw": 0.8, "ls": (0, (5, 1.5)), "zorder": 2.3, "drawstyle": "steps-post"},
    {"color": "#D55E00", "lw": 0.8, "ls": (0, (5, 1.5, 1, 1.5)), "zorder": 2.2, "drawstyle": "steps-post"},
    {"color": "0.45", "lw": 0.8, "ls": (0, (2, 2)), "zorder": 2.1, "drawstyle": "steps-post"},
)
UNASKED_STYLE: dict[str, Any] = {"facecolor": "0.96", "edgecolor": "0.6", "hatch": "////", "lw": 0, "zorder": 0.5}
"""Behind the scores, where the model was not asked."""
UNASKED_RAW_STYLE: dict[str, Any] = {**RAW_STYLE, "color": "0.4", "lw": 0.7, "ls": (0, (1, 2))}
"""The score of the gates there."""
THRESHOLD_STYLE: dict[str, Any] = {"color": "0.15", "lw": 0.9, "ls": (0, (7, 4)), "zorder": 3.5}
SHADE_STYLE: dict[str, Any] = {"facecolor": "#E69F00", "alpha": 0.22, "lw": 0, "zorder": 1}
"""Behind the scores during an event."""
EVENT_STYLE: dict[str, Any] = {"facecolor": "#E69F00", "edgecolor": "0.1", "hatch": "/////", "lw": 0.6, "zorder": 6}
TRUTH_STYLE: dict[str, Any] = {"facecolor": "#009E73", "edgecolor": "0.1", "hatch": "xxxx", "lw": 0.6, "zorder": 6}

_FONTS = (
    *("DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP"),
    *("Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "PingFang SC", "Hiragino Sans", "Arial Unicode MS"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Source Han Sans SC", "Noto Sans KR", "Noto Sans CJK KR"),
    *("Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil"),
    *("Noto Sans Thai", "Noto Sans Symbols", "Noto Sans Symbols2", "Noto Emoji", "Segoe UI Symbol"),
)
"""Fonts that are tried one after the other for each character."""


def settings() -> dict[str, Any]:
    """Return the settings of matplotlib for plots: text stays text, and is never a formula."""
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return {
        "font.family": [name for name in _FONTS if name in installed] or ["sans-serif"],
        "font.size": 9,
        "hatch.linewidth": 0.4,
        "text.parse_math": False,
        "text.usetex": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "anyanomaly",
        "pdf.fonttype": 42,
    }
