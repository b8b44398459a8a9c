"""`bench steps` hands the run and its words on."""

import pytest

from bench.cli.main import main


def test_a_run_that_is_not_recorded_is_named(capsys: pytest.CaptureFixture[str], tmp_path: object) -> None:
    assert main(["steps", "ddpm-mnist-0-00000000", f"results={tmp_path}"]) == 2
    assert "run=ddpm-mnist-0-00000000: unknown" in capsys.readouterr().err


def test_a_wrong_number_of_steps_is_named(capsys: pytest.CaptureFixture[str], tmp_path: object) -> None:
    assert main(["steps", "ddpm-mnist-0-00000000", "steps=[5,0]", f"results={tmp_path}"]) == 2
    assert "steps" in capsys.readouterr().err
