"""Records survive what interrupts their writing, and what is written is what is read."""

from pathlib import Path

import pytest

from bench import records


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


def test_a_failed_write_leaves_the_old_record_and_no_debris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records.write(example(), tmp_path)
    old = records.path(tmp_path, example().run_id).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        records.write(example().model_copy(update={"images_seen": 4}), tmp_path)
    assert [file.read_bytes() for file in (tmp_path / "records").iterdir()] == [old]
