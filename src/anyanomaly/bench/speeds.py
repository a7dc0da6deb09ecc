"""Speed of each cell, as rows of a table."""

from __future__ import annotations

from typing import Any

from anyanomaly.bench.results import Results

STAGES = {"decode": "decode", "encode": "encoder", "contexts": "contexts", "answer": "LVLM"}

NOTE = (
    "Speed: one stream, warmed up, no stored answers. frames/s: as the paper counts (frames of whole segments, "
    "one text a time). segments/s and × real time: all texts of the run at once. p50 and p95: seconds from a "
    "segment's last frame to its scores, with nothing else under way. ms/frame: per frame and text; the stages "
    "before the LVLM go on beside it. Tokens: per segment, as far as the backend tells. MiB: peak, with the "
    "processes that an engine starts."
)


def speed_rows(results: Results) -> list[dict[str, str]]:
    """Return a row per cell whose speed was measured."""
    rows = []
    for cell in results.cells:
        found = results.of_cell(cell)
        if not found or not found["speed"]:
            continue
        speed: dict[str, Any] = found["speed"]
        place = results.place({"backend": cell.backend, "dataset": cell.dataset, "ablation": cell.ablation})
        published = results.published_fps(place)
        n_segments = speed["n_segments"]
        rows.append(
            {
                "cell": cell.label,
                "texts": str(speed["n_texts"]),
                "frames/s": _shown(speed["paper_fps"]),
                "published": "" if published is None else _shown(published),
                "segments/s": _shown(speed["segments_per_s"]),
                "× real time": _shown(speed["real_time"]),
                "p50 s": _shown(speed["latency_p50_s"]),
                "p95 s": _shown(speed["latency_p95_s"]),
                **{f"{title} ms/frame": _shown(speed["stages_ms_per_frame"][name]) for name, title in STAGES.items()},
                "tokens in": _shown(speed["prompt_tokens"] / n_segments),
                "tokens out": _shown(speed["output_tokens"] / n_segments),
                "MiB": "" if speed["peak_mib"] is None else f"{speed['peak_mib']:.0f}",
                "GPU MiB": "" if speed["gpu_mib"] is None else f"{speed['gpu_mib']:.0f}",
            }
        )
    empty = {name for name in rows[0] if not any(row[name] for row in rows)} if rows else set()
    return [{name: value for name, value in row.items() if name not in empty} for row in rows]


def _shown(value: float) -> str:
    """Return a number with three digits that count."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
