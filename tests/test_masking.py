"""Secrets in addresses: masked in texts, settings and errors, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.config.model import RunConfig
from anyanomaly.config.toml import to_toml
from anyanomaly.masking import mask_url, mask_urls, mask_urls_in
from anyanomaly.outside_text import terminal_text


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://bob:secret@host/v1", "https://***@host/v1"),
        ("https://TOKEN@host:80/v1", "https://***@host:80/v1"),
        ("rtsp://a:b@[::1]:554/1", "rtsp://***@[::1]:554/1"),
        ("http://bob:se@cret@host", "http://***@host"),
        ("http://bob:se/cret@host/v1", "http://***@host/v1"),
        ("http://bob:se?cr#et@host/v1", "http://***@host/v1"),
        ("https://host/v1?key=secret&b=2;c=3", "https://host/v1?key=***&b=***;c=***"),
        ("https://host/v1?secret", "https://host/v1?***"),
        ("https://host/#access_token=secret", "https://host/#access_token=***"),
        ("bob:secret@host/v1", "***@host/v1"),
        ("https://host/docs#usage", "https://host/docs#usage"),
        ("https://host/@user/clip.mp4", "https://host/@user/clip.mp4"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_secrets_of_an_address_are_masked(url: str, masked: str) -> None:
    assert mask_url(url) == masked
    assert mask_url(masked) == masked
    if "://" in url:
        assert mask_urls(f"See {url} and {url}") == f"See {masked} and {masked}"
        assert terminal_text(f"No answer at {url}\n") == f"No answer at {masked}\n"
        assert mask_urls_in({"a": [url, 1, None], "b": {"c": (url,)}}) == {
            "a": [masked, 1, None],
            "b": {"c": (masked,)},
        }


@given(st.text().filter(lambda text: "://" not in text))
def test_a_text_without_an_address_stays(text: str) -> None:
    assert mask_urls(text) == text


def test_settings_are_shown_without_secrets_also_those_of_components_that_are_not_installed() -> None:
    config = RunConfig.model_validate(
        {
            "videos": ["rtsp://bob:secret@camera/1"],
            "backend": {"name": "openai", "base_url": "https://bob:secret@host/v1"},
        }
    )
    shown = to_toml(config, {})
    assert "secret" not in shown
    assert shown.count("***") == 2
