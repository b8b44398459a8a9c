"""Published files: known by their digest, and a download that fails does so soon, in one sentence."""

import socket
from pathlib import Path
from urllib.error import URLError

import pytest

from datamodules.base import DataError
from datamodules.files import CONNECT_SECONDS, absence, check_md5, download, read_bytes, root_folder


def test_root_none_is_the_documented_cache_and_a_tilde_is_expanded() -> None:
    assert root_folder(None) == Path.home() / ".cache" / "generative-trilemma"
    assert root_folder("~/pictures") == Path.home() / "pictures"


def test_the_right_digest_passes_and_a_wrong_one_names_file_size_and_both(tmp_path: Path) -> None:
    check_md5(tmp_path / "a", b"abc", "900150983cd24fb0d6963f7d28e17f72")
    with pytest.raises(DataError) as error:
        check_md5(tmp_path / "a", b"abd", "900150983cd24fb0d6963f7d28e17f72")
    text = str(error.value)
    assert all(part in text for part in (str(tmp_path / "a"), "3 bytes", "4911e516e5aa21d327512e0c8b197616", "900150"))


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"^{tmp_path} cannot be read: Is a directory.$"):
        read_bytes(tmp_path)


def test_absence_names_what_is_needed_where_and_what_is_missing(tmp_path: Path) -> None:
    sentence = absence("Set", ["a", "b"], [tmp_path / "x", tmp_path], ["b"])
    assert sentence == f"Set needs the files a, b in {tmp_path}/x or {tmp_path} (set by data.root), but it lacks b"
    assert absence("Set", ["a", "b"], [tmp_path], ["a", "b"]).endswith("but none of them is there")


@pytest.mark.parametrize("failure", [RuntimeError("all\nmirrors failed"), URLError("no network"), TimeoutError("slow")])
def test_a_failed_download_is_one_sentence_with_its_cause(failure: Exception) -> None:
    with pytest.raises(DataError) as error, download("Set needs a"):
        raise failure
    assert str(error.value) == f"Set needs a; the download failed ({' '.join(str(failure).split())})."


def test_a_download_does_not_wait_long_for_an_answer_and_nothing_else_is_hurried() -> None:
    before = socket.getdefaulttimeout()
    with download("Set needs a"):
        assert socket.getdefaulttimeout() == CONNECT_SECONDS
    assert socket.getdefaulttimeout() == before
