"""The end of a cell's log."""

from pathlib import Path

from bench.sweep.logs import last_lines


def test_the_last_lines_of_a_long_log_are_read_from_its_end_and_not_from_before_a_point(tmp_path: Path) -> None:
    file = tmp_path / "log"
    assert last_lines(file, 1) == []
    file.write_bytes(b"an earlier try\n")
    begin = file.stat().st_size
    assert last_lines(file, 1, begin) == []
    file.write_bytes(b"an earlier try\n" + b"x" * 10_000 + b"\n\xff half a letter\nlast\n")
    assert last_lines(file, 1, begin) == ["last"]
    assert last_lines(file, 2, begin) == ["� half a letter", "last"]
