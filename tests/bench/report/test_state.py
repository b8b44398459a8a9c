"""The served page is rendered again only when one of its files has changed."""

from pathlib import Path

import pytest

from bench.report import state as module
from bench.report.state import State, describe_run, fingerprint, places
from bench.results.status import Running

RUNNING = Running(
    run_id="gan-mnist-4-12345678", config={"model": {"name": "gan"}}, stage="train gan", done=3000, total=12000,
    unit="images", seconds=6.0, left=18.0, curves={"images_seen": [1000.0, 2000.0], "loss": [2.0, 1.0]},
)  # fmt: skip


def test_the_fingerprint_changes_with_every_file_of_the_page_and_with_no_other(results: Path) -> None:
    before = fingerprint(results)
    (results / "TABLE.md").write_text("x")
    assert fingerprint(results) == before
    (record,) = (results / "records").glob("gan-*.json")
    (picture,) = (results / "pictures").glob("gan-*/samples.png")
    seen = {before}
    for file in (record, picture):
        file.write_bytes(file.read_bytes() + b" ")
        seen.add(fingerprint(results))
        file.unlink()
        seen.add(fingerprint(results))
    assert len(seen) == 5


def test_an_unchanged_page_is_rendered_once(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions: list[str] = []
    monkeypatch.setattr(module, "render", lambda results, version: versions.append(version) or f"page {version}")
    state = State(results)
    assert state.page() == state.page() == f"page {versions[0]}"
    next((results / "records").glob("gan-*.json")).unlink()
    assert state.page() == f"page {versions[1]}"
    assert len(versions) == 2


def test_records_that_cannot_be_read_are_said_on_the_page(results: Path) -> None:
    (results / "records" / "broken.json").write_text("{")
    assert "broken.json: not a readable record" in State(results).page()


def test_trainings_are_looked_for_in_the_folder_itself_and_in_those_below(results: Path, tmp_path: Path) -> None:
    assert places(results)[0] == results
    assert results / "ring_8" in places(results)
    assert places(tmp_path / "none") == [tmp_path / "none"]


@pytest.mark.parametrize(("left", "text"), [(18.0, "0:18"), (None, None)])
def test_a_running_training_is_described_with_its_first_curve(left: float | None, text: str | None) -> None:
    now = describe_run(RUNNING.__class__(**{**vars(RUNNING), "left": left}))
    assert (now.done, now.total, now.left) == (3000, 12000, text)
    assert len(now.panels) == 1
    assert describe_run(RUNNING.__class__(**{**vars(RUNNING), "curves": {}})).panels == []


def test_status_files_that_cannot_be_read_are_said(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path) -> list[Running]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "running", broken)
    assert "The running trainings cannot be read: Permission denied" in State(results).now()["now"]
