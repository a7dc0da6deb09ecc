"""Safe file names: what stays, what is replaced, and that no two are one file."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.media.names import MAX_BYTES, safe_stem

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³")}


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("camera 7", "camera 7"),
        ("Überfall_Straße", "Überfall_Straße"),
        ("監視カメラ", "監視カメラ"),
        ("a/b\\c:d", "a_b_c_d"),
        ("../../etc/passwd", "etc_passwd"),
        ("-rf", "rf"),
        ("~home", "home"),
        ("con", "_con"),
        ("LPT1.tar", "_LPT1.tar"),
        ("console", "console"),
        ("ends. . ", "ends"),
        ("line\nbreak\ttab", "line break tab"),
        ("\u202egpj.exe\x1b[31m", "gpj.exe[31m"),
        ("", "video"),
        ("...", "video"),
        ("/", "video"),
        ("e\u0301", "é"),
    ],
)
def test_names_stay_readable_and_become_safe(name, stem):
    assert safe_stem(name) == stem


@given(st.text(max_size=300))
def test_every_stem_is_safe(name):
    stem = safe_stem(name)
    assert 1 <= len(stem.encode()) <= MAX_BYTES
    assert not set('<>:"/\\|?*') & set(stem)
    assert not any(unicodedata.category(char).startswith("C") for char in stem)
    assert stem[0] not in " .-" and stem[-1] not in " ."  # noqa: PT018
    assert stem.split(".")[0].casefold() not in RESERVED
    assert safe_stem(stem) == stem or stem.startswith("_")


@given(
    st.lists(
        st.sampled_from(["a", "A", "ß", "ss", "SS", "é", "e\u0301", "É", "con", "", "x" * 200, "a-2"]), max_size=20
    )
)
def test_stems_of_one_run_are_different_files_also_where_capitals_do_not_count(names):
    stems: list[str] = []
    for name in names:
        stems.append(safe_stem(name, stems))
    assert len({unicodedata.normalize("NFC", stem.casefold()) for stem in stems}) == len(names)
    assert all(len(stem.encode()) <= MAX_BYTES for stem in stems)
