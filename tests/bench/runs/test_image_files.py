"""A path that a user names is read by its kind; what is neither kind is answered with the choices."""

from pathlib import Path

import pytest
import torch

from bench.config.schema import ConfigError
from bench.evaluation.errors import EvaluationError
from bench.evaluation.image_files import arrays, folder, hugging_face
from bench.runs.image_files import read, read_folder, reader_of

IMAGES = torch.arange(4 * 64).reshape(4, 1, 8, 8).to(torch.uint8)


def test_a_reader_is_found_by_suffix_or_by_what_a_folder_holds(tmp_path: Path) -> None:
    arrays.write_npz(IMAGES, None, tmp_path / "A.NPZ")
    assert reader_of(tmp_path / "A.NPZ") is arrays.read_npz
    assert reader_of(tmp_path) is read_folder
    for name in hugging_face.SPLIT_FILES:
        (tmp_path / name).touch()
    assert reader_of(tmp_path) is hugging_face.read


@pytest.mark.parametrize("name", ["a.zip", "a", "a.hf", "a.pkl"])
def test_an_unknown_suffix_is_answered_with_the_choices(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=f"--images=.*{name}: unknown kind of file; give a folder .*"
                                          "ends in .npz, .npy, .tar, .tar.gz, .tgz$"):  # fmt: skip
        reader_of(tmp_path / name)


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no.npz: there is neither a file nor a folder of this name"):
        reader_of(tmp_path / "no.npz")


@pytest.mark.parametrize("content", ["", "[]", '{"labels": null}', '{"labels": [["000000.png", [0, 1]]]}'])
def test_labels_beside_the_images_of_a_folder_refuse_none(content: str, tmp_path: Path) -> None:
    folder.write(IMAGES, torch.arange(4), tmp_path / "f")
    for text in ((tmp_path / "f" / folder.LABELS).read_text(), content):
        (tmp_path / "f" / folder.LABELS).write_text(text)
        found = read_folder(tmp_path / "f", (1, 8, 8), None)
        assert torch.equal(found.images, IMAGES)
        assert found.left_out == "left out 1 .json"


def test_what_is_left_out_is_printed_and_too_few_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.write(IMAGES, None, tmp_path / "f")
    (tmp_path / "f" / "notes.txt").touch()
    assert len(read(tmp_path / "f", read_folder, (1, 8, 8), 4).images) == 4
    assert "f: 4 images, left out 1 .txt" in capsys.readouterr().err
    with pytest.raises(EvaluationError, match="f holds 4 images, but evaluation.samples=5; give more images"):
        read(tmp_path / "f", read_folder, (1, 8, 8), 5)
