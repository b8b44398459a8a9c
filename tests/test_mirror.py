"""A module's tests are found by its path: bench/table/rows.py is tested in tests/bench/table/test_rows.py."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("bench", "models", "datamodules", "generative_trilemma")
EXEMPT = {  # module -> why it has no test file of its own
    "bench/__main__.py": "calls bench.cli.main alone; tests/bench/runtime/test_siblings.py starts it",
    "bench/sweep/executor.py": "a protocol and two plain records; test_local.py and test_ray.py test what has it",
    "models/protocols.py": "protocols alone; tests/bench/evaluation/tasks/test_registry.py says who has them",
}


def file_of(module: Path) -> Path:
    return ROOT / "tests" / module.parent / f"test_{module.name}"


def test_every_module_has_its_test_file() -> None:
    modules = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    tested = {module for module in modules if module.name != "__init__.py" and str(module) not in EXEMPT}
    assert [str(module) for module in sorted(tested) if not file_of(module).exists()] == []


def test_only_modules_that_exist_and_have_no_test_file_are_exempt() -> None:
    assert [name for name in EXEMPT if not (ROOT / name).exists() or file_of(Path(name)).exists()] == []
