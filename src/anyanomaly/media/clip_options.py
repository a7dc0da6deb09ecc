"""Options of the sink of clips."""

from __future__ import annotations

from pydantic import Field

from anyanomaly.api.sink import PathText, SinkOptions

MAX_ROLL_S = 3600.0


class ClipsOptions(SinkOptions):
    """Options of the clips."""

    path: PathText = Field(default="clips", description="Folder for the clips, made if it is missing.")
    pre_roll_s: float = Field(default=2.0, ge=0, le=MAX_ROLL_S, description="Seconds of video before each event.")
    post_roll_s: float = Field(default=2.0, ge=0, le=MAX_ROLL_S, description="Seconds of video behind each event.")
    exact: bool = Field(
        default=False,
        description="Encode the clips again, so that they start and stop at the right frame. Otherwise they are "
        "copied, and start at the key frame before.",
    )
