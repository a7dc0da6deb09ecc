"""Options of the sinks of result files."""

from __future__ import annotations

from pydantic import Field

from anyanomaly.api.sink import SinkOptions


class JsonLinesOptions(SinkOptions):
    """Options of the sink of JSON lines."""

    evidence: bool = Field(
        True, description="store what the model saw at the peak of each event: pictures, questions, answers"
    )
