"""`bench guidance` hands the run and its words on."""

import pytest

from bench.cli.main import main


def test_a_run_that_is_not_recorded_is_named(capsys: pytest.CaptureFixture[str], tmp_path: object) -> None:
    assert main(["guidance", "ddpm-mnist-0-00000000", f"results={tmp_path}"]) == 2
    assert "run=ddpm-mnist-0-00000000: unknown" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["w=[-1]", "w=[]", "w=much"])
def test_a_wrong_weight_is_named(word: str, capsys: pytest.CaptureFixture[str], tmp_path: object) -> None:
    assert main(["guidance", "ddpm-mnist-0-00000000", word, f"results={tmp_path}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "w" in line.partition("=")[0] or "w:" in line
