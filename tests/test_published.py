"""What results/published shows is what the committed records give."""

import json
import re
import shutil
from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.schema import Config
from bench.evaluation.protocol import Protocol
from bench.evaluation.tasks.protocol import AbilityProtocol
from bench.results.identity import run_id
from bench.results.records import read_all
from bench.speed import report
from bench.speed.command import QUESTIONS

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "results" / "published"
FOLDERS = sorted(path.parent for path in PUBLISHED.rglob("TABLE.md"))  # MNIST's own, and one for each other data set


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_committed_tables_are_what_the_committed_records_give(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["table", "--check", f"results={folder}"]) == 0
    assert capsys.readouterr().err == f"{folder}: the files of the table are up to date\n"


@pytest.mark.parametrize("name", ["TABLE.md", "TABLE.csv", "TABLE.beside.csv", "TABLE.json", "TABLE.tex", "records"])
def test_a_changed_digit_is_found_and_named_and_nothing_is_written(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(PUBLISHED, tmp_path / "published"))
    changed = next((folder / "records").glob("vqvae-*")) if name == "records" else folder / name
    head, _, rest = changed.read_text().rpartition("9")
    doubled = re.sub(r'"fid": ([\d.]+)', lambda found: f'"fid": {2 * float(found[1])}', changed.read_text())
    changed.write_text(f"{head}8{rest}" if name != "records" else doubled)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert main(["table", "--check", f"results={folder}"]) == 1
    said = capsys.readouterr().err
    if name == "records":  # all files show it
        assert [part in said for part in ("TABLE.md, line", "TABLE.csv, line", "TABLE.json, line")] == [True] * 3
    else:
        line = head.count("\n") + 1
        assert said.startswith(f"{changed}, line {line}: has `")
        assert said.count("\n") == 1
        (folder / name).unlink()
        assert main(["table", "--check", f"results={folder}"]) == 1
        assert capsys.readouterr().err == f"{folder / name}: missing\n"
        changed.write_bytes(before[changed])
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_a_picture_of_other_records_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(shutil.copytree(PUBLISHED / "ring_8", tmp_path / "ring_8"))
    shutil.copy(PUBLISHED / "grid_25" / "TABLE.png", folder)
    assert main(["table", "--check", f"results={folder}"]) == 1
    assert capsys.readouterr().err == f"{folder / 'TABLE.png'}: not drawn from these records\n"
    (folder / "TABLE.png").unlink()
    assert main(["table", "--check", f"results={folder}"]) == 1
    assert capsys.readouterr().err == f"{folder / 'TABLE.png'}: missing\n"


def test_the_committed_page_is_what_the_committed_records_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--check", f"results={PUBLISHED}"]) == 0
    assert capsys.readouterr().err == f"{PUBLISHED / 'report.html'}: the page is up to date\n"


def test_the_committed_results_are_kept_under_their_protocols_fingerprints() -> None:
    for file in PUBLISHED.rglob("records/*.json"):
        record = json.loads(file.read_text())
        for kind, parts in ((Protocol, record["results"]), (AbilityProtocol, record["abilities"])):
            assert [kind.from_dict(part["protocol"]).fingerprint() for part in parts.values()] == list(parts), file


def test_published_runs_keep_their_identity() -> None:
    runs = [record for record in read_all(PUBLISHED) if record.images_seen]
    assert runs
    for record in runs:
        assert run_id(Config(**record.config)) == record.run_id


def test_the_committed_speeds_are_what_their_record_gives() -> None:
    chapters = report.read(PUBLISHED)
    assert (PUBLISHED / report.MARKDOWN).read_text() == report.markdown(chapters)
    assert set(chapters) == set(QUESTIONS)
