"""A user's project as docs/plugins.md has it, for tests to write into a folder."""

import re
from collections.abc import Mapping
from pathlib import Path

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "plugins.md").read_text()
FILES = dict(
    re.findall(r"`([\w/]+\.(?:py|yaml))`(?:[^`]|`(?!``))*?:\n\n```(?:python|yaml)\n(.*?)```", DOCUMENT, re.DOTALL)
)
MODEL, DATA = "./models/factors.py:ProbabilisticPCA", "./data/stripes.py:Stripes"
METRIC, EXTRACTOR = "./figures/energy.py:energy_distance", "./features/regions.py:regions"
SAMPLER = "./samplers/written_out.py:written_out"
SMALL = ["preset=smoke", "trainer.accelerator=cpu", "train.images=640", "train.batch=32", "evaluation.samples=64"]


def write_project(folder: Path) -> Path:
    """Write the document's files, and folders with the names of the suite's that have nothing to do with it."""
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("models", "configs", "datamodules"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text(f'raise ImportError("the user\'s {name} was imported")\n')
    (folder / "configs" / "default.yaml").write_text("seed: none of the suite's\n")
    return folder


def write_package(site: Path, name: str, group: str, entries: Mapping[str, str]) -> None:
    """Write the metadata of an installed package that enters names in a group, into a folder of Python's path."""
    info = site / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = "\n".join(f"{entry} = {value}" for entry, value in entries.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
