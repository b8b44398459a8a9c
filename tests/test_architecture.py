"""The house keeps its import directions and its limits."""

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
ROOMS = {"models", "datamodules", "bench"}
FORBIDDEN = {
    "models": {"datamodules", "bench"},
    "datamodules": {"models", "bench"},
    "bench/evaluation": {"models", "datamodules", "lightning"},
    "models/networks": {"lightning", "models.losses", "models.base"},
    "models/diffusion": {"lightning", "models.losses", "models.base", "models.networks"},
}


def imports(file: Path) -> set[str]:
    """Every module a file imports, with its parents: a.b.c gives a, a.b and a.b.c."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            parts = name.split(".")
            found |= {".".join(parts[: i + 1]) for i in range(len(parts))}
    return found


@pytest.mark.parametrize("room", FORBIDDEN)
def test_no_import_points_the_wrong_way(room: str) -> None:
    files = list((HOUSE / room).rglob("*.py"))
    assert files
    wrong = {str(file.relative_to(HOUSE)): imports(file) & FORBIDDEN[room] for file in files}
    assert {file: names for file, names in wrong.items() if names} == {}


def test_evaluation_imports_nothing_else_of_bench() -> None:
    for file in (HOUSE / "bench" / "evaluation").rglob("*.py"):
        ours = {name for name in imports(file) if name.startswith("bench.")}
        assert {name for name in ours if not name.startswith("bench.evaluation")} == set(), file


def test_files_are_named_for_what_they_hold() -> None:
    for room in ROOMS:
        for file in (HOUSE / room).rglob("*.py"):
            assert file.name not in {"utils.py", "helpers.py", "common.py", "misc.py"}, file
