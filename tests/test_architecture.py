"""The packages keep their import directions: one ordered list, and every import goes down it."""

import ast
from pathlib import Path

import pytest

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
    "models": {"datamodules", "bench"},
    "datamodules": {"models", "bench"},
    "bench/evaluation": {"models", "datamodules", "lightning"},
    "bench/runtime": {"models", "datamodules", "lightning"},
    "models/networks": {"lightning", "models.losses", "models.base"},
    "models/diffusion": {"lightning", "models.losses", "models.base", "models.networks"},
    "models/flows": {"lightning", "models.losses", "models.base", "models.networks"},
}


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
