"""The kinds of fields that records have, with their ranges, and how numbers are written."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

MAX_FRAME = 2**40
"""The highest number of a frame: 1000 frames per second for 34 years."""
MAX_TIME = 1e10
"""The highest time, seconds: 317 years."""
MAX_SCORE = 3e38
"""The highest score, up or down: the numbers of timelines end there."""
MAX_SIDE = 2**31 - 1
"""The longest side of a picture, pixels."""

Number: TypeAlias = Annotated[FiniteFloat, Field(strict=True)]
Seconds: TypeAlias = Annotated[FiniteFloat, Field(strict=True, ge=-MAX_TIME, le=MAX_TIME)]
Value: TypeAlias = Annotated[FiniteFloat, Field(strict=True, ge=-MAX_SCORE, le=MAX_SCORE)]
Frame: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=MAX_FRAME)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=MAX_FRAME)]
Fraction: TypeAlias = Annotated[FiniteFloat, Field(strict=True, ge=0, le=1)]
Side: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=MAX_SIDE)]


class StrictRecord(BaseModel):
    """A record of a result file. Fields that it does not know are ignored, so that later versions may add some."""

    model_config = ConfigDict(frozen=True)


def exact_number(value: float) -> float | None:
    """Return a number as JSON holds it exactly; None, in JSON null, for NaN."""
    return None if math.isnan(value) else value


def rounded_number(value: float) -> float | None:
    """Return a number rounded to six decimals; None, in JSON null, for NaN."""
    return None if math.isnan(value) else round(value, 6)


def read_number(value: float | None) -> float:
    """Return a number of a record; NaN for None."""
    return math.nan if value is None else value
