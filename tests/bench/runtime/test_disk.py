"""A full disk and a read-only results folder, on a small file system of their own."""

import json
import subprocess
from collections.abc import Callable, Iterator
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


def command(results: Path, tiny_run: Callable[..., list[str]]) -> list[str]:
    return tiny_run("vae", f"results={results}", "train.images=640")


def test_a_disk_that_fills_at_each_kind_of_file_ends_in_one_sentence_and_is_gone_on_from(
    disk: Path, tiny_run: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command again and again, each time with a little more room, until it comes to its end."""
    filler, results = disk / "filler", disk / "results"
    reached = []
    for left in (0, 20, 60, 150):  # kB
        filler.unlink(missing_ok=True)
        free = subprocess.run(["df", "--output=avail", "-k", str(disk)], capture_output=True, text=True, check=True)
        filler.write_bytes(bytes(1024 * (int(free.stdout.split()[-1]) - left)))
        assert main(command(results, tiny_run)) == 2, left
        said = capsys.readouterr().err
        assert "No space left on device" in said.splitlines()[-1], left
        assert not [file for file in results.rglob(".*") if file.is_file()], "nothing half-written is left"
        for file in results.rglob("*.json"):
            json.loads(file.read_text())
        reached.append({kind for kind in ("locks", "records", "runs", "pictures") if any(results.glob(f"{kind}/*"))})
    assert [len(kinds) for kinds in reached] == [1, 2, 3, 4], "at a lock, a baseline, the final weights, a picture"
    filler.unlink()
    assert main(command(results, tiny_run)) == 0
    (file,) = (results / "records").glob("vae-*.json")
    assert json.loads(file.read_text())["images_seen"] == 640


def test_a_read_only_folder_ends_in_one_sentence(
    disk: Path, tiny_run: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert mounted("-o", "remount,ro", str(disk))
    assert main(command(disk / "results", tiny_run)) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"bench: results={disk / 'results'}: {disk} cannot be written to")
