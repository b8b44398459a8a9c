"""Images decoded by several threads are those of one; the first error by the order of the files is the one raised."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import decoding
from datamodules.base import DataError
from datamodules.decoding import decode, in_parallel, survey


@pytest.fixture
def threads() -> Iterator[None]:
    """Four threads, however many torch has here."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """50 grey images of 8 x 8 pixels; all pixels of image i are i."""
    files = [tmp_path / f"{number:02}.png" for number in range(50)]
    for number, file in enumerate(files):
        Image.fromarray(np.full((8, 8), number, dtype=np.uint8)).save(file)
    return files


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("queued", [1, 7, 1000])
def test_the_order_is_that_of_the_files(paths: list[Path], monkeypatch: pytest.MonkeyPatch, queued: int) -> None:
    monkeypatch.setattr(decoding, "QUEUED", queued)
    for channels in (1, 3):
        expected = torch.arange(50, dtype=torch.uint8)[:, None, None, None].expand(50, channels, 4, 4)
        images = torch.empty(50, channels, 4, 4, dtype=torch.uint8)
        decode(paths, images)
        assert torch.equal(images, expected)


@pytest.mark.usefixtures("threads")
def test_the_first_of_several_damaged_files_is_named(paths: list[Path]) -> None:
    for number in (41, 17, 30):
        paths[number].write_bytes(paths[number].read_bytes()[:40])
    with pytest.raises(DataError, match=f"^{paths[17]} cannot be decoded: "):
        decode(paths, torch.empty(50, 1, 8, 8, dtype=torch.uint8))


@pytest.mark.usefixtures("threads")
def test_after_an_error_no_further_queue_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "QUEUED", 10)
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 5:
            raise DataError("five")
        return number

    with pytest.raises(DataError, match="five"):
        list(in_parallel(work, range(1000), "Counting"))
    assert max(begun) < 10


def test_the_survey_sees_colour_and_files_of_several_images(paths: list[Path]) -> None:
    assert survey(paths) == (True, 0)
    frames = [Image.new("L", (8, 8), grey) for grey in (1, 2)]
    frames[0].save(paths[3].with_suffix(".tif"), save_all=True, append_images=frames[1:])
    assert survey([*paths, paths[3].with_suffix(".tif")]) == (True, 1)
    Image.new("RGB", (8, 8)).save(paths[0])
    assert survey(paths) == (False, 0)


def test_the_bar_goes_to_stderr_and_only_for_many_files(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    decode(paths, torch.empty(50, 1, 8, 8, dtype=torch.uint8))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(decoding, "PROGRESS_FROM", 50)
    decode(paths, torch.empty(50, 1, 8, 8, dtype=torch.uint8))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Decoding images" in captured.err
