"""Every file of a run has one place below the results folder, and no two kinds share one."""

from pathlib import Path

from bench.results.layout import STATUS, ResultsFolder, checkpoints_of, row_file, row_files, weights_of

FOLDER = ResultsFolder(Path("r"))


def test_no_two_kinds_of_file_share_a_place_and_all_lie_below_the_folder() -> None:
    run = FOLDER.run("a")
    places = [
        FOLDER.record("a"), FOLDER.failure("a"), FOLDER.weights("a"), checkpoints_of(run), run / STATUS,
        FOLDER.pictures("a"), FOLDER.sweep("a"), FOLDER.sweep_logs, FOLDER.studies,
        FOLDER.samples,
    ]  # fmt: skip
    assert len(set(places)) == len(places)
    assert all(place.is_relative_to(FOLDER.root) for place in places)
    assert FOLDER.weights("a") == weights_of(run)
    assert FOLDER.record("a").parent == FOLDER.records
    assert FOLDER.failure("a").parent == FOLDER.failures


def test_the_pattern_of_statuses_finds_those_of_all_runs(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    files = [folder.run(name) / STATUS for name in ("a", "b")]
    for file in files:
        file.parent.mkdir(parents=True)
        file.touch()
    assert sorted(tmp_path.glob(folder.statuses)) == files


def test_rows_of_two_samplers_have_pictures_of_their_own() -> None:
    pictures = FOLDER.pictures("a")
    assert row_files(pictures, "default") == (pictures / "samples.png", pictures / "nearest.png")
    assert row_file(pictures, "samples", "ddim-50") == pictures / "samples-ddim-50.png"
