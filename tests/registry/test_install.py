"""Commands that install packages work as printed: in messages, in the documentation, from a checkout and an index."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
import venv
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from anyanomaly import install, registry
from anyanomaly.registry.known import FIRST_PARTY_PACKAGES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("plugins/*/*.md"))]
FOLDERS = {path.parent.name: path.parent for path in ROOT.glob("plugins/*/pyproject.toml")}

BACKEND = """
import pathlib, zipfile
NAME, REQUIRES, CODE = {name!r}, {requires!r}, {code!r}
def metadata(info):
    lines = ["Metadata-Version: 2.1", "Name: " + NAME, "Version: 1.0", "Provides-Extra: more"]
    return "\\n".join(lines + ["Requires-Dist: " + text for text in REQUIRES]) + "\\n"
def build_wheel(folder, config_settings=None, metadata_directory=None, pth=None):
    name = NAME.replace("-", "_")
    info = name + "-1.0.dist-info/"
    files = {{info + "METADATA": metadata(info), info + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}}
    files |= {{name + ".pth": pth}} if pth else {{name + "/" + path: text for path, text in CODE.items()}}
    with zipfile.ZipFile(pathlib.Path(folder) / (name + "-1.0-py3-none-any.whl"), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(info + "RECORD", "")
    return name + "-1.0-py3-none-any.whl"
def build_editable(folder, config_settings=None, metadata_directory=None):
    return build_wheel(folder, pth=str(pathlib.Path.cwd()))
"""  # noqa: E501
"""A build backend in the package's own folder, so that pip needs no index."""


class Distribution:
    """A distribution that was installed from a folder, or from an index."""

    def __init__(self, url: str = "", editable: bool = False) -> None:
        self.record = json.dumps({"url": url, "dir_info": {"editable": editable}}) if url else None

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.record


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Return a function that says where the core came from, and which packages are installed beside it."""

    def pretend(core: Distribution, *installed: str) -> None:
        def distribution(name: str) -> Distribution:
            if name not in ("anyanomaly", *installed):
                raise PackageNotFoundError(name)
            return core

        monkeypatch.setattr(install, "distribution", distribution)
        monkeypatch.setattr(install, "_pip", lambda: "pip")
        install._checkout.cache_clear()

    yield pretend
    install._checkout.cache_clear()


def test_from_an_index_packages_are_named(machine) -> None:
    machine(Distribution())
    assert install.install_command("anyanomaly-vllm[gpu]") == "pip install 'anyanomaly-vllm[gpu]'"
    assert install.install_command("anyanomaly[eval]", "pytest>=8") == "pip install 'anyanomaly[eval]' 'pytest>=8'"


def test_from_a_checkout_the_folders_are_named_with_the_siblings_that_are_missing(machine, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    machine(Distribution(ROOT.as_uri()))
    assert install.install_command("anyanomaly-vllm[gpu]", "num2words") == (
        "pip install ./plugins/transformers './plugins/vllm[gpu]' num2words"
    )
    assert install.install_command("anyanomaly[eval]") == "pip install '.[eval]'"
    assert install.install_command("anyanomaly[qwen-gguf]") == (
        "pip install ./plugins/openclip ./plugins/llamacpp '.[qwen-gguf]'"
    )
    assert install.install_command("anyanomaly-demo>=0.1") == (
        "pip install ./plugins/openclip ./plugins/transformers ./plugins/demo"
    )
    assert install.install_command("anyanomaly-mine") == "pip install anyanomaly-mine"  # somebody else's
    machine(Distribution(ROOT.as_uri(), editable=True), "anyanomaly-transformers", "anyanomaly-openclip")
    assert install.install_command("anyanomaly-demo") == "pip install -e ./plugins/demo"


def test_from_another_folder_the_path_is_whole(machine, monkeypatch, tmp_path: Path) -> None:
    checkout = tmp_path / "my checkout"
    (checkout / "plugins" / "one").mkdir(parents=True)
    (checkout / "plugins" / "one" / "pyproject.toml").write_text("[project]\nname = 'anyanomaly-one'\n")
    link = tmp_path / "link"
    link.symlink_to(checkout)
    machine(Distribution(link.as_uri()))
    monkeypatch.chdir(ROOT)
    assert install.install_command("anyanomaly-one") == f"pip install '{checkout.resolve()}/plugins/one'"
    monkeypatch.chdir(link)
    assert install.install_command("anyanomaly-one") == "pip install ./plugins/one"


def test_a_checkout_that_is_gone_leaves_the_names(machine, tmp_path: Path) -> None:
    machine(Distribution((tmp_path / "gone").as_uri()))
    assert install.install_command("anyanomaly-demo") == "pip install anyanomaly-demo"


def _write_package(folder: Path, name: str, requires: list[str], code: dict[str, str]) -> None:
    """Write a package that pip can build without an index."""
    folder.mkdir(parents=True)
    dependencies = [text.partition(";")[0].strip() for text in requires if "extra ==" not in text]
    extra = [text.partition(";")[0].strip() for text in requires if "extra ==" in text]
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\ndependencies = {json.dumps(dependencies)}\n'
        f"[project.optional-dependencies]\nmore = {json.dumps(extra)}\n"
    )
    (folder / "backend.py").write_text(BACKEND.format(name=name, requires=requires, code=code))
    for path, text in code.items():
        (folder / name.replace("-", "_")).mkdir(exist_ok=True)
        (folder / name.replace("-", "_") / path).write_text(text)


def test_the_printed_command_runs_without_an_index(tmp_path: Path) -> None:
    checkout = tmp_path / "a checkout"
    code = {"__init__.py": "", "install.py": Path(install.__file__).read_text()}
    _write_package(checkout, "anyanomaly", [], code)
    _write_package(checkout / "plugins" / "one", "anyanomaly-one", ["anyanomaly"], {"__init__.py": ""})
    _write_package(checkout / "plugins" / "two", "anyanomaly-two", ["anyanomaly-one"], {"__init__.py": ""})
    needs = ["anyanomaly", 'anyanomaly-two; extra == "more"']
    _write_package(checkout / "plugins" / "three", "anyanomaly-three", needs, {"__init__.py": ""})
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"

    def shell(command: str) -> str:
        environment = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shell(f"{python} -m pip install -e {shlex.quote(str(checkout))}")
    printed = shell(
        f"{python} -c 'import anyanomaly.install as i; print(i.install_command(\"anyanomaly-three[more]\"))'"
    )
    shell(printed)
    listing = json.loads(shell(f"{python} -m pip list --format json"))
    packages = {entry["name"].replace("_", "-"): "editable_project_location" in entry for entry in listing}
    assert {name for name in packages if name.startswith("anyanomaly-")} == {
        "anyanomaly-one",
        "anyanomaly-two",
        "anyanomaly-three",
    }
    assert packages["anyanomaly-three"]  # editable, as the core is


def _commands(page: Path) -> list[list[str]]:
    """Return the arguments of each `pip install` of a page, in blocks and in the text."""
    commands = re.findall(r"pip install ([^`\n#]+)", page.read_text(encoding="utf-8"))
    return [shlex.split(command) for command in commands]


def test_messages_leave_the_command_to_install_command() -> None:
    sources = [*(ROOT / "src").rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")]
    assert not [path for path in sources if re.search(r"[Rr]un: pip", path.read_text(encoding="utf-8"))]


def test_documented_commands_name_folders_and_every_sibling_they_need() -> None:
    n_commands = 0
    for page in PAGES:
        for arguments in _commands(page):
            n_commands += 1
            where = f"{page.name}: pip install {' '.join(arguments)}"
            assert not [text for text in arguments if text.startswith("anyanomaly")], f"{where}: on no index yet"
            folders = {text.partition("[")[0] for text in arguments if text.startswith(".")}
            assert not folders or "." in folders, f"{where}: lacks the core"
            for folder in folders - {"."}:
                project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
                for needed in project["dependencies"]:
                    sibling = needed.removeprefix("anyanomaly-")
                    if sibling in FOLDERS:
                        assert f"./plugins/{sibling}" in folders, f"{where}: lacks ./plugins/{sibling}"
    assert n_commands >= 10


def test_every_component_of_our_own_packages_has_an_install_command() -> None:
    loaded = registry.load()
    packages = {}
    for role in ("reader", "encoder", "gate", "selector", "context", "backend", "dataset", "sink"):
        for spec in loaded.specs(role):
            package = loaded.provider(spec).split()[0]
            if package.startswith("anyanomaly-"):
                packages[role, spec.name] = package
    if {name.removeprefix("anyanomaly-") for name in packages.values()} != set(FOLDERS):
        pytest.skip("not all of the project's packages are installed here")
    assert {key: package.partition("[")[0] for key, package in FIRST_PARTY_PACKAGES.items()} == packages


def test_extras_in_the_table_of_components_exist() -> None:
    for package in set(FIRST_PARTY_PACKAGES.values()):
        name, _, extra = package.rstrip("]").partition("[")
        project = tomllib.loads((FOLDERS[name.removeprefix("anyanomaly-")] / "pyproject.toml").read_text())["project"]
        assert project["name"] == name
        assert not extra or extra in project["optional-dependencies"]
