"""Pictures of the report are scaled down, also those of a stored run that somebody has made up."""

from __future__ import annotations

import pytest

from anyanomaly.evidence import Picture
from anyanomaly.report.spool import scale_down


@pytest.mark.parametrize("side", [1000, 65000])  # damaged; more pixels than OpenCV accepts
def test_a_picture_that_cannot_be_decoded_stays_as_it_is(side: int) -> None:
    size = side.to_bytes(2, "big") * 2
    header = b"\xff\xd8\xff\xc0\x00\x11\x08" + size + b"\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01"
    picture = Picture(header + b"\xff\xd9", side, side)
    assert scale_down(picture) is picture
