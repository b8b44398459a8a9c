"""The public names: all are there, typed as they are imported, and the reading ones import no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import generative_trilemma as gt

ROOT = Path(__file__).resolve().parents[2]
READS = """
import sys
import generative_trilemma as gt
found, table = gt.records("results/published"), gt.table("results/published", data="mnist")
repr(found), repr(table), table._repr_html_()
print(*(name for name in ("torch", "lightning", "matplotlib.pyplot", "pandas", "polars") if name in sys.modules))
"""


def test_every_name_is_imported_from_where_a_type_checker_sees_it() -> None:
    body = ast.parse(Path(gt.__file__).read_text()).body
    (typed,) = (node for node in body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == gt._MODULES
    assert sorted(gt.__all__) == sorted(seen)
    for name, module in seen.items():
        assert getattr(gt, name) is getattr(sys.modules[str(module)], name)
    assert set(gt.__all__) <= set(dir(gt))


def test_no_module_has_the_name_of_a_function_which_it_would_replace() -> None:
    assert {file.stem for file in Path(gt.__file__).parent.glob("*.py")} & set(gt.__all__) == set()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'generative_trilemma' has no attribute 'evaluat'"):
        gt.evaluat  # noqa: B018


def test_reading_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", READS], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, [], "")


@pytest.mark.parametrize("package", ["generative_trilemma", "bench", "models", "datamodules"])
def test_a_type_checker_reads_the_packages(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
