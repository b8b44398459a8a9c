"""A class is found by its file or its module, its sources are known, and whatever fails is one sentence."""

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.components import find
from bench.config.places import find_place, import_place, short_name, sources
from bench.config.schema import ConfigError
from tests.projects import write_project

WRONG = {  # content of mine.py -> what the sentence about ./mine.py:Mine must name
    "": ["/mine.py has no class Mine", "it has none"],
    "class Min: pass\n": ["no class Mine (did you mean Min?)"],
    "class Other: pass\n": ["no class Mine", "it has Other"],
    "Mine = 3\n": ["Mine is no class but of type int"],
    "\nimport nothing_of_this_name\n": [
        "ModuleNotFoundError: No module named 'nothing_of_this_name'",
        "mine.py, line 2",
    ],
    "def f():\n    1 / 0\n\nf()\n": ["cannot be imported: ZeroDivisionError: division by zero", "mine.py, line 2"],
    "a = (\n": ["SyntaxError: '(' was never closed", "mine.py, line 1"],
    "import sys\nsys.exit(3)\n": ["SystemExit: 3", "mine.py, line 2"],
    "from models.blocks import Block\n": ["models.blocks", "models is the suite's package here", "`from .x import y`"],
}


@pytest.mark.parametrize("content", WRONG)
def test_a_file_that_cannot_be_used_is_one_sentence(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(content)
    assert main(["train", "model=./mine.py:Mine"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("bench: model=./mine.py:Mine: ")
    for part in WRONG[content]:
        assert part in said
    assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("./none.py:Mine", "no file "),
        ("./mine.py", "names no class; write model=./mine.py:NAME"),
        ("./mine.py:", "names no class; write model=./mine.py:NAME"),
        ("./mine.py:3", "names no class"),
        ("nowhere.models:Mine", "no module nowhere.models is installed or lies in "),
        ("models.mine:Mine", "models is a package of the suite; if you mean your own, name its file: "
                             "model=./models/mine.py:Mine"),
        ("broken.mine:Mine", "cannot be imported: ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_a_place_where_nothing_is_is_one_sentence(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken").mkdir()
    Path("broken/__init__.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError) as error:
        find("model", text).load()
    assert str(error.value).startswith(f"model={text}: {said}")
    assert len(str(error.value).splitlines()) == 1


def test_a_relative_path_is_resolved_when_it_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path / "data")
    place = find_place("model", "../models/factors.py:ProbabilisticPCA")
    monkeypatch.chdir("/")
    assert str(place) == f"{tmp_path}/models/factors.py:ProbabilisticPCA"
    assert import_place(place).__name__ == "ProbabilisticPCA"
    assert import_place(place) is import_place(place)


def test_the_sources_are_the_file_and_what_it_imports_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directly or not, relatively or by name; no library, and no module that is not imported."""
    package = tmp_path / "acme_models" / "inner"
    package.mkdir(parents=True)
    files = {
        package.parent / "__init__.py": "",
        package.parent / "blocks.py": "from . import deep\n",
        package.parent / "deep.py": "import torch\n",
        package.parent / "unused.py": "",
        package / "__init__.py": "",
        package
        / "mine.py": "import json\nfrom ..blocks import deep\nfrom acme_models import inner\nclass Mine: pass\n",
    }
    for file, text in files.items():
        file.write_text(text)
    monkeypatch.chdir(tmp_path)
    place = find_place("model", "acme_models.inner.mine:Mine")
    expected = ["__init__.py", "blocks.py", "deep.py", "inner/__init__.py", "inner/mine.py"]
    digests = {f"acme_models/{name}": (package.parent / name).read_bytes() for name in expected}
    assert sources(place) == {name: hashlib.sha256(text).hexdigest() for name, text in digests.items()}
    Path("lonely.py").write_text("import helper, torch\nfrom acme_models import unused\n")
    Path("helper.py").write_text("")
    assert list(sources(find_place("model", "./lonely.py:X"))) == [
        "acme_models/__init__.py", "acme_models/unused.py", "helper.py", "lonely.py",
    ]  # fmt: skip


def test_a_changed_file_is_imported_again_and_an_equal_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class Mine:\n    x = 1\n")
    first = import_place(find_place("model", f"{file}:Mine"))
    file.write_text("class Mine:\n    x = 2\n")  # of the same length, within the second that bytecode is checked by
    second = import_place(find_place("model", f"{file}:Mine"))
    assert (first.x, second.x) == (1, 2)


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Forget the modules that a test has imported."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(
    "changed", ["acme_value.py", "acme_pack/__init__.py", "acme_pack/value.py", "acme_pack/mine.py"]
)
@pytest.mark.parametrize("place", ["./lonely.py:Mine", "acme_pack.mine:Mine"])
def test_what_runs_is_what_the_digests_are_of(
    place: str, changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a module of the user's was imported before, by a place or by other means, in an older state."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("acme_pack").mkdir()
    files = {
        "acme_value.py": "x = 1\n",
        "acme_pack/__init__.py": "y = 1\n",
        "acme_pack/value.py": "z = 1\n",
        "acme_pack/mine.py": "import acme_pack\nfrom .value import z\nclass Mine:\n    seen = [acme_pack.y, z, 1]\n",
        "lonely.py": "from acme_value import x\nfrom acme_pack.mine import Mine as Other\n"
        "class Mine:\n    seen = [x, *Other.seen]\n",
    }
    for name, text in files.items():
        Path(name).write_text(text)
    found = find_place("model", place)

    def seen() -> tuple[list[int], dict[str, str]]:
        return import_place(found).seen, sources(found)

    first = seen()
    assert seen() == first
    Path(changed).write_text(files[changed].replace("1", "2"))
    second = seen()
    assert (2 in second[0]) == (second[1] != first[1]) == (changed in first[1])
    Path(changed).write_text(files[changed])
    for name in ("acme_value", "acme_pack", "acme_pack.mine"):
        importlib.import_module(name)  # by other means than a place
    Path(changed).write_text(files[changed].replace("1", "3"))
    third = seen()
    assert (3 in third[0]) == (third[1] != first[1]) == (changed in first[1])
    assert import_place(found) is import_place(found)


@pytest.mark.usefixtures("forgotten")
def test_a_module_that_python_finds_elsewhere_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a library or of the suite; another one of the user's is refused, since its name would hide the one meant."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("json.py", "models/vae.py", "one/helper.py", "two/helper.py", "beside.py"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("class Mine: pass\n")
    Path("mine.py").write_text("import json, beside\nfrom models.vae import VAE\nclass Mine: pass\n")
    assert list(sources(find_place("model", "./mine.py:Mine"))) == ["beside.py", "mine.py"]
    for folder in ("one", "two"):
        Path(folder, "mine.py").write_text("from helper import Mine\n")
    assert import_place(find_place("model", "./one/mine.py:Mine"))
    two = find_place("model", "./two/mine.py:Mine")
    with pytest.raises(ConfigError) as error:
        import_place(two)
    assert str(error.value) == (
        f"model=./two/mine.py:Mine: mine.py imports helper, which Python finds in {tmp_path}/one; import the one "
        "beside it relatively, as in `from .helper import y`"
    )
    Path("two/mine.py").write_text("from .helper import Mine\n")
    assert import_place(two)


def test_a_failed_import_leaves_no_module(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from . import beside\n1 / 0\n")
    (tmp_path / "beside.py").write_text("")
    before = set(sys.modules)
    with pytest.raises(ConfigError):
        import_place(find_place("model", f"{tmp_path}/mine.py:Mine"))
    assert set(sys.modules) == before


def test_names_are_those_of_classes_in_small_letters() -> None:
    names = {
        "PixelGaussian": "pixel_gaussian",
        "VAE": "vae",
        "MyVAE2": "my_vae2",
        "DDPMSmall": "ddpm_small",
        "a.B": "b",
    }
    assert {name: short_name(name) for name in names} == names
