"""Downloads that the options declare before torch or open_clip is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from anyanomaly_openclip.hub import hub_paths
from anyanomaly_openclip.options import OpenClipOptions

from anyanomaly.api import Download
from anyanomaly.errors import UsageError

DEFAULT = Download("timm/vit_base_patch32_clip_224.openai", file="open_clip_model.safetensors")
SOURCE = """
_B = dict(openai=_pcfg(url="https://x", hf_hub="timm/b.openai/", quick_gelu=True), own=_pcfg(hf_hub="laion/b/"))
_PRETRAINED = {"B": _B, "V": dict(tag=_pcfg(hf_hub="lab/v/model.bin")), "U": dict(tag=_pcfg(url="https://x"))}
"""

with_open_clip = pytest.mark.skipif(find_spec("open_clip") is None, reason="needs open_clip's source")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of a package open_clip whose table is SOURCE, in place of the installed one."""
    folder = tmp_path / "open_clip"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise AssertionError('open_clip was imported')")
    (folder / "pretrained.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "open_clip", raising=False)
    hub_paths.cache_clear()
    yield folder
    hub_paths.cache_clear()


@with_open_clip
def test_the_default_weights_are_declared_without_torch() -> None:
    script = (
        "import sys; from anyanomaly_openclip.options import OpenClipOptions; print(OpenClipOptions().downloads());"
        "print({'torch', 'open_clip'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output == f"{(DEFAULT,)}\nset()\n"


@pytest.mark.parametrize(
    ("model", "tag", "download"),
    [
        ("B", "openai", Download("timm/b.openai", file="open_clip_model.safetensors")),
        ("B-quickgelu", "openai", Download("timm/b.openai", file="open_clip_model.safetensors")),
        ("B", "own", Download("laion/b")),
        ("V", "tag", Download("lab/v", file="model.bin")),
        ("hf-hub:lab/clip", "openai", Download("lab/clip")),
    ],
)
def test_models_of_the_hub_are_declared(package: Path, model: str, tag: str, download: Download) -> None:
    assert OpenClipOptions(model=model, pretrained=tag).downloads() == (download,)


@pytest.mark.parametrize(
    ("model", "tag"),
    [
        ("B-quickgelu", "own"),
        ("B", "no-such-tag"),
        ("no-such-model", "openai"),
        ("U", "tag"),
        ("local-dir:x", "openai"),
    ],
)
def test_other_names_declare_nothing(package: Path, model: str, tag: str) -> None:
    assert OpenClipOptions(model=model, pretrained=tag).downloads() == ()


def test_files_and_folders_declare_nothing(package: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    weights.touch()
    assert OpenClipOptions(model=str(tmp_path)).downloads() == ()
    assert OpenClipOptions(model=str(weights)).downloads() == ()
    assert OpenClipOptions(model="B", pretrained=str(weights)).downloads() == ()


@pytest.mark.parametrize("source", ["def broken(", "_PRETRAINED = load_table()", None])
def test_a_source_of_another_form_declares_nothing(package: Path, source: str | None) -> None:
    table = package / "pretrained.py"
    table.unlink() if source is None else table.write_text(source)
    assert OpenClipOptions(model="B").downloads() == ()


@with_open_clip
@pytest.mark.parametrize("model", ["ViT-B-32-quickgelu", "hf-hub:owner/name"])
def test_a_folder_here_never_stands_in_for_a_model(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / model).mkdir(parents=True)
    with pytest.raises(UsageError, match=f"'{model}' is the name of a model"):
        OpenClipOptions(model=model).downloads()
    assert OpenClipOptions(model=f"./{model}").downloads() == ()
