"""A full disk and a read-only results folder, on a small file system of their own."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli.main import main


def mounted(*words: str) -> bool:
    return subprocess.run(["mount", *words], capture_output=True).returncode == 0


@pytest.fixture
def disk(small_mnist: Path) -> Iterator[Path]:
    """An empty file system of 4 MB."""
    disk = small_mnist / "disk"
    disk.mkdir()
    try:
        if not mounted("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)):
            pytest.skip("only root may mount a file system")
    except FileNotFoundError:
        pytest.skip("no mount command")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def command(results: Path, tiny: dict[str, list[str]]) -> list[str]:
    return [
        "train", "model=vae", f"results={results}", "trainer.accelerator=cpu", "preset=smoke", "train.images=640",
        "train.batch=32", "evaluation.samples=64", "evaluation.timed_images=4", *tiny["vae"],
    ]  # fmt: skip


@pytest.mark.parametrize("left", [0, 20, 60, 150], ids=lambda left: f"{left} kB left")
def test_a_full_disk_ends_in_one_sentence_and_is_gone_on_from(
    left: int, disk: Path, tiny: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk fills at another file each time: lock, floor, final weights, pictures."""
    free = subprocess.run(["df", "--output=avail", "-k", str(disk)], capture_output=True, text=True, check=True)
    filler = disk / "filler"
    filler.write_bytes(bytes(1024 * (int(free.stdout.split()[-1]) - left)))
    results = disk / "results"
    assert main(command(results, tiny)) == 2
    said = capsys.readouterr().err
    assert "No space left on device" in said.splitlines()[-1]
    assert not [file for file in results.rglob(".*") if file.is_file()], "nothing half-written is left"
    for file in results.rglob("*.json"):
        json.loads(file.read_text())
    filler.unlink()
    assert main(command(results, tiny)) == 0
    (file,) = (results / "records").glob("vae-*.json")
    assert json.loads(file.read_text())["images_seen"] == 640


def test_a_read_only_folder_ends_in_one_sentence(
    disk: Path, tiny: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert mounted("-o", "remount,ro", str(disk))
    assert main(command(disk / "results", tiny)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"bench: results={disk / 'results'}: {disk} cannot be written to")
