"""A project with folders named as ours, in the working directory: bench takes its own, or says what hides them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.runtime.siblings import NAMES, ROOT


@pytest.fixture(params=["package", "namespace", "module"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder that has something else under each of our packages' names."""
    for name in NAMES:
        if request.param == "module":
            (tmp_path / f"{name}.py").write_text("")
            continue
        (tmp_path / name).mkdir()
        if request.param == "package":
            (tmp_path / name / "__init__.py").write_text("")
    return tmp_path


def python(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project, whose folder comes first on its path, as in a notebook."""
    environment = os.environ | {"PYTHONPATH": f"{project}{os.pathsep}{ROOT}"}
    return subprocess.run([sys.executable, *words], cwd=project, env=environment, capture_output=True, text=True)


def test_packages_are_found_beside_bench(project: Path) -> None:
    found = "from importlib.util import find_spec; import bench; print(*(find_spec(n).origin for n in " + f"{NAMES}))"
    done = python(project, "-c", found)
    assert done.stdout.split() == [str(ROOT / name / "__init__.py") for name in NAMES], done.stderr


@pytest.mark.slow  # it imports torch and lightning
@pytest.mark.parametrize("project", ["package"], indirect=True)
def test_the_public_name_works_beside_them(project: Path) -> None:
    code = "import generative_trilemma, models; print(generative_trilemma.GenerativeModel.__module__, models.MODELS)"
    done = python(project, "-c", code)
    assert done.stdout.startswith("models.base {'ae':"), done.stderr


@pytest.mark.parametrize(
    ("kind", "name"), [("presets", "smoke"), pytest.param("models", "vqvae", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("project", ["package"], indirect=True)
def test_the_command_line_works_beside_them(project: Path, kind: str, name: str) -> None:
    done = python(project, "-m", "bench", "list", kind)
    assert done.returncode == 0, done.stderr
    assert name in done.stdout


@pytest.mark.parametrize("project", ["package", "module"], indirect=True)
def test_a_package_that_was_imported_before_is_named_in_one_sentence(project: Path) -> None:
    done = python(project, "-c", "import models\ntry: import bench\nexcept ImportError as error: print(error)")
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith("models: this process has imported another package of that name")
    assert str(project / "models") in done.stdout


def test_the_version_and_commit_are_said() -> None:
    done = python(ROOT, "-m", "bench", "--version")
    assert done.returncode == 0
    assert done.stdout.startswith("bench 0.")
    assert ", commit " in done.stdout
