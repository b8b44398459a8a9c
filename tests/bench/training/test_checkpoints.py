"""The newest two checkpoints are kept whole, a damaged one is set aside, and none runs code when it is loaded."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.training import fit
from bench.training.checkpoints import WholeFiles, check
from models.base import GenerativeModel
from tests.bench.training.interrupted import Train, at_images, same, stop, stopped_at

pytestmark = pytest.mark.usefixtures("short")


def test_the_newest_two_checkpoints_are_kept(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    start, found = GenerativeModel.on_train_batch_start, []

    def look(self: GenerativeModel, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        found.append(sorted((int(file.stem) for file in Path("r").rglob("*.ckpt")), reverse=True))
        start(self, batch, batch_idx)

    monkeypatch.setattr(GenerativeModel, "on_train_batch_start", look)
    train("vae", "r")
    assert found == [[seen for seen in (8 * k, 8 * k - 8) if seen > 0] for k in range(20)]


class Malice:
    """Makes a folder when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(Path.cwd() / "executed"),)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip_a_bit(file: Path) -> None:
    """Of the weights, which no structure of the file would betray."""
    content = bytearray(file.read_bytes())
    largest = max(torch.load(file, weights_only=True)["state_dict"].values(), key=torch.numel)
    place = content.find(largest.numpy().tobytes())
    content[place + 2] ^= 1
    file.write_bytes(content)
    torch.load(file, weights_only=True)


def plant_code(file: Path) -> None:
    state = torch.load(file, weights_only=True)
    torch.save(state | {"state_dict": Malice()}, file)


@pytest.mark.parametrize("damage", [cut, empty, flip_a_bit, plant_code])
def test_a_damaged_checkpoint_is_named_and_set_aside_and_the_one_before_used(
    damage: Callable[[Path], None], train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    train("vae", "whole")
    newest, older = stopped_at(train, 88)
    damage(newest)
    content = newest.read_bytes()
    seen = at_images(monkeypatch, 0, stop())
    train("vae", "broken")
    assert seen[0] == int(older.stem) + 8 == 88
    assert same("whole", "broken")
    assert not Path("executed").exists()
    assert newest.with_suffix(".damaged").read_bytes() == content
    assert newest.name in capsys.readouterr().err


def test_no_load_of_ours_runs_code_even_if_asked(small_mnist: Path) -> None:
    torch.save({"state_dict": Malice()}, "planted.ckpt")
    with pytest.raises(Exception, match="mkdir"):
        WholeFiles().load_checkpoint("planted.ckpt", weights_only=False)
    assert not Path("executed").exists()


def test_a_file_that_cannot_be_written_ends_the_training_and_harms_no_checkpoint(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's limit on the size of files stands for a full disk: a write fails after some of it."""
    monkeypatch.setattr(fit, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    train("vae", "whole")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.MonkeyPatch.context() as patched:
        at_images(patched, 88, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard)))
        try:
            with pytest.raises(OSError, match="File too large"):
                train("vae", "broken")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (folder,) = Path("broken").glob("runs/*/checkpoints")
    assert [file.name for file in sorted(folder.iterdir())] == ["000000000072.ckpt", "000000000080.ckpt"]
    for file in folder.iterdir():
        check(file)
    train("vae", "broken")
    assert same("whole", "broken")
