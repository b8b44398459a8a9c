"""A user's project as docs/plugins.md has it, for tests to write into a folder."""

import re
from pathlib import Path

DOCUMENT = (Path(__file__).resolve().parent.parent / "docs" / "plugins.md").read_text()
FILES = dict(
    re.findall(r"`([\w/]+\.(?:py|yaml))`(?:[^`]|`(?!``))*?:\n\n```(?:python|yaml)\n(.*?)```", DOCUMENT, re.DOTALL)
)
MODEL, DATA = "./models/factors.py:ProbabilisticPCA", "./data/stripes.py:Stripes"
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
