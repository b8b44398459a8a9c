"""What tests below share: what was published once, whatever is published now."""

import shutil
from pathlib import Path

import pytest

PUBLISHED = Path(__file__).resolve().parents[2] / "results" / "published"


@pytest.fixture(scope="session")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed records and pictures of MNIST's first seed and of the plane; not to be changed."""
    return Path(
        shutil.copytree(
            PUBLISHED, tmp_path_factory.mktemp("one") / "published",
            ignore=shutil.ignore_patterns("report.html", "*-[1-9]-*", "fashion_mnist", "stacked_mnist"),
        )
    )  # fmt: skip
