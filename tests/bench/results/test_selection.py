"""What may stand in one table is selected; what may not is refused by what differs, with the way to choose."""

from pathlib import Path
from typing import Any

import pytest

from bench.config.schema import ConfigError
from bench.results.records import Record, RecordError, path, read_all, write
from bench.results.selection import TableError, select, table_selection
from bench.table.build import build
from tests.bench.records import ability, figures, lecture, protocol, record, skilled

HERE = Path("results")


def test_another_programs_images_have_a_row_and_no_line_of_the_lecture() -> None:
    outside = record("theirs", "outside", rows={"images": {"fid": 3.0, "recall": 1.0}}, weights="none")
    outside.config["preset"] = "smoke"  # the preset says nothing about it
    table = build(select([*lecture(), outside], {"preset": "quick"}), HERE)
    assert [row.name for row in table.rows][-1] == "theirs"
    assert table.lecture == build(lecture(), HERE).lecture
    other = record("theirs", "outside", rows={"images": {"fid": 3.0}}, weights="none", samples=100)
    assert [row.name for row in build([*lecture(), other], HERE).rows] == [row.name for row in table.rows[:-1]]
    chosen = select([*lecture(), other], {"samples": 2000})
    assert build(chosen, HERE).left_out == ["theirs (other evaluation settings)"]
    assert build([*lecture(), other], HERE).left_out == ["theirs (samples: 2000 vs 100, kid_subset_size: 1000 vs 100)"]


def test_results_of_two_protocols_in_one_record_are_chosen_by_protocol() -> None:
    """As records of an earlier version hold them, whose protocols said nothing of held-out images."""
    runs = lecture()
    for one in runs[:3]:
        sampler = next(iter(one.results.values())).protocol["sampler"]
        rows = {sampler: figures(9, 0.9, 0.02)}
        one.results |= record(one.config["model"]["name"], one.family, rows=rows, held_out_digest="h").results
    with pytest.raises(TableError, match="held_out_digest.*choose with protocol=.* or protocol="):
        build(runs, HERE)
    old, new = (protocol(**changes).setting() for changes in ({}, {"held_out_digest": "h"}))
    assert {row.figures["fid"].value for row in build(select(runs, {"protocol": new}), HERE).rows} == {9}
    assert build(select(runs, {"protocol": old}), HERE) == build(lecture(), HERE)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"samples": 1000}, "samples: "), ({"extractor_digest": "x"}, "extractor_digest"), ({"chunk": 100}, "chunk: ")],
)
def test_results_of_two_protocols_are_refused(change: dict[str, Any], said: str) -> None:
    other = record("gan", "gan", rows={"default": figures(5, 0.4, 0.03)}, **change)
    with pytest.raises(TableError, match=f"two protocols.*{said}"):
        build([lecture()[0], other], HERE)


def test_presets_of_one_protocol_share_a_table() -> None:
    vae, gan, *_ = lecture()
    gan.config["preset"] = "beyond"
    table = build([vae, gan], HERE)
    assert table.preset == "beyond+quick"
    assert {row.name for row in table.rows} == {"vae", "gan"}


def test_a_stamped_preset_is_never_mixed_with_others() -> None:
    vae, gan, *_ = lecture()
    gan.config |= {"preset": "smoke", "stamp": "too short to mean anything"}
    with pytest.raises(TableError, match="preset=quick or preset=smoke"):
        build([vae, gan], HERE)
    assert [row.name for row in build(select([vae, gan], {"preset": "quick"}), HERE).rows] == ["vae"]


def test_abilities_measured_by_two_protocols_are_refused() -> None:
    runs = skilled()
    runs[1].abilities = ability("reconstruct", {"mse": 0.1, "psnr": 10.0, "ssim": 0.5}, images=100)
    with pytest.raises(
        TableError,
        match=r"of two protocols: images: 2000 vs 100; .*evaluation.samples=2000 or evaluation.samples=100",
    ):
        build(runs, HERE)


def test_results_of_two_settings_in_one_record_are_chosen_among() -> None:
    """As `bench evaluate RUN evaluation.samples=500` adds them: nothing is lost, and the table says how to choose."""
    runs = skilled()
    for one in runs[:3]:
        other = record(one.config["model"]["name"], one.family, rows={"default": figures(9, 0.9, 0.02)}, samples=500)
        one.results |= other.results
    runs[0].abilities |= ability("reconstruct", {"mse": 0.1, "psnr": 10.0, "ssim": 0.5}, images=500)
    with pytest.raises(TableError, match=r"choose with evaluation.samples=2000 or evaluation.samples=500"):
        build(runs, HERE)
    assert build(select(runs, {"samples": 2000}), HERE) == build(skilled(), HERE)
    few = build(select(runs, {"samples": 500}), HERE)
    assert {row.figures["fid"].value for row in few.rows} == {9}
    assert [(line.name, line.figures["psnr"].value) for line in few.lines] == [("vae", 10.0)]


def test_baselines_that_no_run_was_measured_with_stand_aside() -> None:
    """Raw pixels are recorded before a training, which may be of other data or other settings, or be stopped."""
    stray = record("raw pixels", "data")
    stray.run_id = "stray"
    stray.abilities = ability("encode", {"linear_probe": 0.1}, data="cifar10", train_digest="c", train_images=50_000)
    assert build([*skilled(), stray], HERE) == build(skilled(), HERE)


def with_samplers(rows: dict[str, dict[str, Any]]) -> Record:
    return record("ddpm", "diffusion", rows={name: dict(measured) for name, measured in rows.items()})


DDPM = {"ancestral-100": figures(4, 0.9, 9, nfe=100)}


SLOWER = {"ancestral-1000": figures(6, 0.7, 90, nfe=1000), "ancestral-2000": {"seconds_per_100": 180.0, "nfe": 2000}}


def test_seeds_are_counted_and_not_files(tmp_path: Path) -> None:
    gan = lecture()[1]
    write(gan, tmp_path)
    copy = path(tmp_path, gan.run_id).with_name("gan-0 (1).json")
    copy.write_text(path(tmp_path, gan.run_id).read_text())
    with pytest.raises(RecordError, match=r"gan-0 \(1\).json: a copy: it holds the run gan-0"):
        read_all(tmp_path)
    copy.rename(copy.with_name("._gan-0.json"))
    copy.with_name("._gan-0.json").write_bytes(b"\x00\x05\x16\x07")
    assert [one.run_id for one in read_all(tmp_path)] == ["gan-0"]
    other = gan.model_copy(update={"run_id": "gan-other"})
    with pytest.raises(TableError, match="gan-0.json and .*gan-other.json: the same run twice"):
        build([gan, other], HERE)


def test_seeds_that_name_two_headline_samplers_and_runs_that_name_none_are_refused() -> None:
    one, other = (with_samplers(DDPM | SLOWER) for _ in range(2))
    other.run_id, other.config["seed"], other.config["headline"] = "ddpm-1", 1, "ancestral-1000"
    with pytest.raises(TableError, match="headline samplers ancestral-100 and ancestral-1000"):
        build([one, other], HERE)
    other.config["headline"] = None
    with pytest.raises(
        TableError, match='ddpm-1.json: names no headline sampler; add "headline" to its config, one of'
    ):
        build([other], HERE)


def test_real_images_may_be_fewer_than_the_samples() -> None:
    few = record("held-out", "data", rows={"held-out": {"fid": 0.3}}, weights="none", samples=500)
    table = build([*lecture()[:3], few], HERE)
    assert table.rows[0].name == "held-out images (n = 500)"
    assert build([*lecture()[:4], few], HERE).rows[0].name == "held-out images", "as many are nearer"
    other = record("held-out", "data", rows={"held-out": {"fid": 0.3}}, weights="none", samples=500, extractor="x")
    assert build([*lecture()[:3], other], HERE).rows[0].family != "data"


def test_a_data_set_of_the_users_own_is_known_from_its_records(tmp_path: Path) -> None:
    words = ["data=stripes", f"results={tmp_path}"]
    with pytest.raises(ConfigError, match=r"data=stripes: unknown; choose from mnist, .*ring_8$"):
        table_selection(words)
    run = record("vae", "autoregressive-vae", rows={"default": figures(5, 0.4, 0.03)})
    run.config["data"]["name"] = "stripes"
    write(run, tmp_path)
    assert table_selection(words) == (tmp_path, {"data": "stripes"})
    with pytest.raises(ConfigError, match=r"data=strips: unknown \(did you mean stripes\?\)"):
        table_selection(["data=strips", f"results={tmp_path}"])
