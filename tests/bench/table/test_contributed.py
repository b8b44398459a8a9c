"""What a contributed record may not be: a published one changed in one place. All contributed ones are checked."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli.main import main
from bench.results.records import BASELINE_FAMILY, Record, read
from bench.table.contributed import HEAD, contributed_grid, files, problems, published_records

ROOT = Path(__file__).resolve().parents[3]
CONTRIBUTED, PUBLISHED = ROOT / "results" / "contributed", ROOT / "results" / "published"
RUN = "ddpm-mnist-0-c711f576"


@pytest.fixture(scope="module")
def published() -> list[Record]:
    return published_records(PUBLISHED)


@pytest.fixture
def contribute(tmp_path: Path) -> Callable[[dict], Path]:
    """A function: the content of a record -> its file among the contributed ones."""

    def write(content: dict) -> Path:
        file = tmp_path / "contributed" / "records" / f"{RUN}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
        return file

    return write


def others(published: list[Record]) -> list[Record]:
    return [record for record in published if record.run_id != RUN]


def content() -> dict:
    return json.loads((PUBLISHED / "records" / f"{RUN}.json").read_text())


@pytest.mark.parametrize("file", files(CONTRIBUTED), ids=lambda file: file.stem)
def test_every_contributed_record_is_a_possible_one(file: Path, published: list[Record]) -> None:
    assert problems(file, published) == []


def test_the_published_runs_of_a_commit_are_possible_ones(published: list[Record]) -> None:
    clean = [record for record in published if record.family != BASELINE_FAMILY and record.code["clean"]]
    assert len(clean) > 30
    for record in clean:
        (file,) = PUBLISHED.rglob(f"{record.run_id}.json")
        assert problems(file, [other for other in published if other.run_id != record.run_id]) == []


def change(*path: str, to: Any) -> Callable[[dict], None]:
    """A change of the value at a path; "*" stands for the first key."""

    def apply(record: dict) -> None:
        *parents, last = path
        for key in parents:
            record = record[next(iter(record)) if key == "*" else key]
        record[last] = to

    return apply


FIRST = ("results", "*")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (change("schema_version", to=4), "is of schema 4"),
        (change("surprise", to=1), "not a readable record"),
        (change("run_id", to="x"), f"the file is called {RUN}.json, but holds the run x"),
        (change("family", to="data"), "family=data: baselines"),
        (change("seed", to=0), "not a readable record"),
        (change("config", "seed", to=7), f"run_id={RUN}: its config is that of ddpm-mnist-7-"),
        (change("config", "model", "T", to=10), f"run_id={RUN}: its config is that of ddpm-mnist-0-"),
        (change("config", "train", to={}), "config: .*images.*: field required"),
        (change("images_seen", to=299_999), "images_seen=299999: the budget of its config is 300000"),
        (change("evaluate_seconds", to=0.0), "did not come to an end"),
        (change("train_seconds", to=0.0), "train_seconds=0.0"),
        (change("code", "commit", to="package 0.1.0"), "code.commit=package 0.1.0: no commit"),
        (change("code", "clean", to=None), "code.clean=None: files differed"),
        (change(*FIRST, "code", to={"commit": "0" * 40, "clean": False}), "results.*.code.clean=False"),
        (change("data_digest", to="0" * 64), "data_digest=000000000000: other images than"),
        (change("config", "data", "name", to="mine"), "data=mine: no data set of the suite"),
        (change(*FIRST, "protocol", "extractor_digest", to="0"), "extractor_digest: other weights than"),
        (change(*FIRST, "protocol", "seed", to=5), "the fingerprint of its protocol is "),
        (change(*FIRST, "protocol", "surprise", to=5), "protocol: protocol key=surprise is unknown"),
        (change(*FIRST, "protocol", "samples", to=999), "samples=999: at least 1,000 are needed"),
        (change("results", to={}), "it was not evaluated"),
        (change(*FIRST, "metrics", "precision", to=1.01), "precision=1.01: is from 0 to 1"),
        (change(*FIRST, "metrics", "fid", to=-0.5), "fid=-0.5: is from 0 to inf"),
        (change(*FIRST, "metrics", "fid", to=float("nan")), "fid=nan"),
        (change(*FIRST, "metrics", "beauty", to=1.0), "metrics.beauty: no metric"),
        (change(*FIRST, "intervals", "fid", to=[2.0, 1.0]), "intervals.fid: from 2.0 to 1.0 is no interval"),
        (change(*FIRST, "timing", to={"seconds_per_100": -1.0}), "seconds_per_100=-1.0: is from 0 to inf"),
        (change("abilities", "*", "protocol", "seed", to=9), "abilities.*: the fingerprint of its protocol"),
    ],
)
def test_a_change_in_one_place_is_named(
    changed: Callable[[dict], None], said: str, contribute: Callable[[dict], Path], published: list[Record]
) -> None:
    record = content()
    record["results"] = {key: copy.deepcopy(result) for key, result in record["results"].items() if result["metrics"]}
    assert problems(contribute(record), others(published)) == []
    changed(record)
    found = problems(contribute(record), others(published))
    assert any(re.search(said, problem) for problem in found), found
    assert not any("\n" in problem for problem in found)


def test_a_published_run_is_no_contribution(published: list[Record]) -> None:
    assert problems(PUBLISHED / "records" / f"{RUN}.json", published) == [
        f"{RUN} is among the published records; train another seed, or evaluate it otherwise"
    ]


def test_a_line_says_whether_the_protocol_is_the_published_one(
    contribute: Callable[[dict], Path], published: list[Record]
) -> None:
    record = content()
    file = contribute(record)
    head, line = contributed_grid(file.parents[1], others(published))
    assert head == HEAD
    assert dict(zip(head, line, strict=True)) | {"FID": "", "precision": "", "coverage": "", "s / 100 images": ""} == {
        "record": RUN, "data": "mnist", "preset": "quick", "sampler": "ancestral-100", "FID": "", "precision": "",
        "coverage": "", "s / 100 images": "", "protocol": "published", "machine": "AMD EPYC, 2 CPU threads",
    }  # fmt: skip
    for result in record["results"].values():
        result["protocol"] |= {"samples": 1500, "seed": 3}
    assert contributed_grid(contribute(record).parents[1], others(published))[1][-2] == "samples; seed"
    unknown = [other for other in published if other.config["data"]["name"] != "mnist"]
    assert contributed_grid(file.parents[1], unknown)[1][-2] == "no published run of mnist"


def test_the_command_says_it_and_exits_with_1(
    contribute: Callable[[dict], Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    record = content()
    file = contribute(record)
    assert main(["check", str(file)]) == 2
    assert "put it into results/contributed/records/ of a clone" in capsys.readouterr().err
    (tmp_path / "published" / "records").mkdir(parents=True)
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == f"{RUN} can be contributed\n"
    record["images_seen"] = 1
    assert main(["check", str(contribute(record))]) == 1
    assert capsys.readouterr().out == "FAILS images_seen=1: the budget of its config is 300000\n"
    assert main(["check", str(file), "seed=1"]) == 2


def test_a_contributed_record_is_found_by_the_tables_command(contribute: Callable[[dict], Path]) -> None:
    assert read(contribute(content())).run_id == RUN
    assert [file.stem for file in files(contribute(content()).parents[1])] == [RUN]
