"""Studies: the files they leave, and a name that is none."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.config.schema import ConfigError
from bench.selftest import study as module
from bench.selftest.study import Study, run_study


def test_a_study_leaves_its_figures_its_tables_and_its_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Study(
        "A coin was thrown.", 3, [("Throws", [["side", "share"], ["heads", "0.5"]])], {"heads": 0.5}, lambda: b"picture"
    )
    monkeypatch.setattr(module, "names", lambda: ["coin"])
    monkeypatch.setattr(module, "import_module", lambda name: SimpleNamespace(study=lambda: outcome))
    run_study("coin", tmp_path)
    folder = tmp_path / "studies"
    content = json.loads((folder / "coin.json").read_text())
    assert (content["figures"], content["seed"], content["study"]) == ({"heads": 0.5}, 3, "coin")
    assert "| heads | 0.5   |" in (folder / "coin.md").read_text()
    assert "bench selftest --study coin" in (folder / "coin.md").read_text()
    assert (folder / "coin.png").read_bytes() == b"picture"


def test_an_unknown_study_is_refused_with_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "names", lambda: ["coin", "die"])
    with pytest.raises(ConfigError) as error:
        run_study("dice", tmp_path)
    assert (error.value.key, error.value.value, error.value.choices) == ("--study", "dice", ("coin", "die"))
