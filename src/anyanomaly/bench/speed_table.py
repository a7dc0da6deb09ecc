"""Speed of each cell, as rows of a table."""

from __future__ import annotations

from anyanomaly.bench.results import Results

STAGE_TITLES = {"decode": "decode", "encode": "encoder", "contexts": "contexts", "answer": "LVLM"}

NOTE = (
    "Speed: one stream, warmed up, no stored answers. frames/s: as the paper counts (frames of full-length segments, "
    "one text per run). segments/s and × real time: all texts of the run together. p50 and p95: seconds from a "
    "segment's last frame to its scores, with nothing else running. ms/frame: per frame and text; the stages before "
    "the LVLM run in parallel with it. LVLM waits: share of the time from the first question to the last answer in "
    "which it has no question to work on. Tokens: per segment, where the backend reports them. MiB: peak, including "
    "the processes that an engine starts."
)


def speed_rows(results: Results) -> list[dict[str, str]]:
    """Return a row per cell whose speed was measured, by column, without empty columns."""
    rows = []
    for cell in results.cells:
        result = results.of_cell(cell)
        if result is None or result.speed is None:
            continue
        speed, throughput = result.speed, result.speed.throughput
        place = results.place({"backend": cell.backend, "dataset": cell.dataset, "ablation": cell.ablation})
        published_fps = results.published_fps(place)
        stages_ms = speed.stages_ms_per_frame
        rows.append(
            {
                "cell": cell.label,
                "texts": str(throughput.n_texts),
                "frames/s": _three_digits(throughput.paper_fps),
                "published": "" if published_fps is None else _three_digits(published_fps),
                "segments/s": _three_digits(throughput.segments_per_s),
                "× real time": _three_digits(throughput.real_time),
                "p50 s": _three_digits(speed.latency_p50_s),
                "p95 s": _three_digits(speed.latency_p95_s),
                **{f"{title} ms/frame": _three_digits(stages_ms[stage]) for stage, title in STAGE_TITLES.items()},
                "LVLM waits": "" if throughput.waiting_share is None else f"{throughput.waiting_share:.1%}",
                "tokens in": _three_digits(throughput.prompt_tokens / throughput.n_segments),
                "tokens out": _three_digits(throughput.output_tokens / throughput.n_segments),
                "MiB": "" if speed.peak_mib is None else f"{speed.peak_mib:.0f}",
                "GPU MiB": "" if speed.gpu_mib is None else f"{speed.gpu_mib:.0f}",
            }
        )
    empty_columns = {column for column in rows[0] if not any(row[column] for row in rows)} if rows else set()
    return [{column: text for column, text in row.items() if column not in empty_columns} for row in rows]


def _three_digits(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
