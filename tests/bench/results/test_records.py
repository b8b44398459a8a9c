"""Records survive what interrupts their writing, and what is written is what is read."""

import json
from pathlib import Path

import pytest

from bench.results import records
from bench.runtime.files import visible


def example(run_id: str = "vae-mnist-0-00000000") -> records.Record:
    return records.Record(
        run_id=run_id, family="autoregressive-vae", config={"preset": "quick"}, code={"commit": "0", "clean": True},
        libraries={"torch": "2"}, data_digest="ab", images_seen=3, train_seconds=1.5,
        results={"f": records.Result(protocol={"samples": 2}, metrics={"fid": 0.1 + 0.2}, hardware={"cpu": "x"})},
    )  # fmt: skip


def test_reading_is_the_inverse_of_writing(tmp_path: Path) -> None:
    records.write(example(), tmp_path)
    assert records.find(tmp_path, example().run_id) == example()
    assert records.read_all(tmp_path) == [example()]
    assert records.find(tmp_path, "another") is None


@pytest.mark.parametrize("schema", [records.SCHEMA - 1, records.SCHEMA + 1, None])
def test_a_file_of_another_schema_is_refused(schema: int | None, tmp_path: Path) -> None:
    records.write(example(), tmp_path)
    records.write_failure(records.Failure(run_id="f", config={}, code={}, cause="diverged", images_seen=1), tmp_path)
    for read, file in (
        (records.read_all, records.path(tmp_path, example().run_id)),
        (records.failures, tmp_path / "failures" / "f.json"),
    ):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"schema_version": schema}))
        with pytest.raises(records.RecordError) as refusal:
            read(tmp_path)
        assert str(refusal.value) == (
            f"{file}: is of schema {schema}, and this version of bench reads schema {records.SCHEMA} only; "
            "move the file away and run `bench train` again, or read it with the version that wrote it"
        )


def test_a_failed_write_leaves_the_old_record_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records.write(example(), tmp_path)
    old = records.path(tmp_path, example().run_id).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        records.write(example().model_copy(update={"images_seen": 4}), tmp_path)
    assert [file.read_bytes() for file in (tmp_path / "records").iterdir()] == [old]


def test_hidden_files_are_no_records_and_no_failures(tmp_path: Path) -> None:
    """What macOS and notebooks leave beside a file that they copy."""
    records.write(example(), tmp_path)
    failure = records.Failure(run_id="f", config={}, code={}, cause="diverged", images_seen=1)
    records.write_failure(failure, tmp_path)
    for folder in (tmp_path / "records", tmp_path / "failures"):
        (folder / "._x.json").write_bytes(b"\0\5\x16\7")
        (folder / ".ipynb_checkpoints").mkdir()
        (folder / ".ipynb_checkpoints" / "x-checkpoint.json").write_text("{}")
    assert records.read_all(tmp_path) == [example()]
    assert records.failures(tmp_path) == [failure]
    assert records.run_ids(tmp_path) == [example().run_id]


def test_visible_files_are_neither_hidden_nor_in_hidden_folders(tmp_path: Path) -> None:
    home = tmp_path / ".home"  # of the folder itself, the name does not matter
    for name in ("b/1.png", "a.png", "._a.png", ".b/1.png", "b/.c/2.png"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).touch()
    (home / "folder.png").mkdir()
    assert visible(home, "**/*.png") == [home / "a.png", home / "b/1.png"]
