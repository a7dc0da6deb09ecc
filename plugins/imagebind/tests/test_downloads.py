"""ImageBind's published weights are not on the hub, so the options declare no download."""

from __future__ import annotations

from anyanomaly_imagebind.options import ImageBindOptions


def test_no_download_from_the_hub_is_declared() -> None:
    assert ImageBindOptions().downloads() == ()
    assert ImageBindOptions(model="weights/imagebind_huge.pth").downloads() == ()
