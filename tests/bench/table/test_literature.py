"""What others published is shown with its source, and as it was checked."""

from bench.table.literature import LINK, LITERATURE, SOURCE, VERIFICATION, literature_grid


def test_each_published_figure_stands_in_the_grid_as_it_was_published() -> None:
    _, *lines = literature_grid()
    for one, line in zip(LITERATURE, lines, strict=True):
        assert (line[0], line[2]) == (one.method, one.fid)
        shown = [None if text == "–" else float(text) for text in line[3:6]]
        assert shown == [one.recall, one.nfe, one.seconds]


def test_what_could_not_be_checked_is_empty_and_said() -> None:
    for method in ("NVAE", "NCSN"):
        (one,) = [one for one in LITERATURE if one.method == method]
        assert one.seconds is None
        assert method in VERIFICATION
    assert "Table 1" in SOURCE
    assert LINK.endswith("2112.07804")
