"""What tests below share: a results folder of made-up records."""

from pathlib import Path

import pytest

from tests.bench.example_results import write_example


@pytest.fixture(scope="session")
def example_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records and pictures of tests/bench/example_results.py; not to be changed."""
    folder = tmp_path_factory.mktemp("example") / "results"
    write_example(folder)
    return folder
