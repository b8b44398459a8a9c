"""A stored protocol is repeated to the last figure, and what cannot be is refused with what differs."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.cli.main import main
from bench.config.components import KINDS, changed_sources
from bench.config.load import load
from bench.config.schema import ConfigError
from bench.evaluation.metrics.registry import METRICS
from bench.results import records
from bench.results.identity import run_id
from bench.results.layout import ResultsFolder, weights_of
from bench.results.records import Record
from bench.runs.reproduce import changes_of, recorded_config
from models.diffusion.own_samplers import OWN
from tests.projects import FILES, SAMPLER, write_package


@pytest.fixture
def trained(finished: Callable[..., Path]) -> tuple[str, str]:
    """A run and the fingerprint of its row."""
    finished("gan")
    (file,) = Path("r/records").glob("gan-*.json")
    (fingerprint,) = json.loads(file.read_text())["results"]
    return file.stem, fingerprint


def test_a_recorded_row_repeats_and_the_record_stays(
    trained: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run, fingerprint = trained
    before = Path(f"r/records/{run}.json").read_bytes()
    assert main(["evaluate", run, "--protocol", fingerprint[:6], "results=r"]) == 0
    assert "every figure agrees to six digits" in capsys.readouterr().out
    assert Path(f"r/records/{run}.json").read_bytes() == before


def test_a_figure_that_does_not_repeat_is_named(trained: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    run, fingerprint = trained
    file = Path(f"r/records/{run}.json")
    content = json.loads(file.read_text())
    content["results"][fingerprint]["metrics"]["recall"] += 0.01
    file.write_text(json.dumps(content))
    assert main(["evaluate", run, f"--protocol={fingerprint}", "results=r"]) == 2
    assert "recall of protocol" in capsys.readouterr().err


def test_a_protocol_from_a_file_adds_a_row(trained: tuple[str, str]) -> None:
    run, fingerprint = trained
    record = Path(f"r/records/{run}.json")
    assert main(["evaluate", run, "results=r", "evaluation.seed=5"]) == 0  # another held-out draw for this seed
    other = json.loads(record.read_text())["results"]
    (seeded,) = (result["protocol"] for key, result in other.items() if key != fingerprint)
    Path("other.json").write_text(json.dumps(seeded | {"kid_subsets": 7}))
    assert main(["evaluate", run, "--protocol", "other.json", "results=r"]) == 0
    results = json.loads(record.read_text())["results"].values()
    assert sorted((r["protocol"]["seed"], r["protocol"]["kid_subsets"]) for r in results) == [
        (0, 100),
        (5, 7),
        (5, 100),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reference_digest": "ab"}, "the protocol states reference_digest=ab"),
        ({"extractor_digest": "ab"}, "the protocol states extractor_digest=ab"),
        ({"data": "fashion_mnist"}, "states data=fashion_mnist, not mnist"),
        ({"weights": "raw"}, "states weights=raw, not ema"),
        ({"reference": "test"}, "states reference=test, not train"),
        ({"cells": 11, "held_out_digest": "ab"}, "the protocol states held_out_digest=ab"),
        ({"held_out_digest": ""}, "the protocol states held_out_digest=none"),
        ({"modes": ""}, "the protocol states modes=none"),
        ({"extractor": "no-cnn"}, "extractor=no-cnn is unknown"),
    ],
)
def test_what_cannot_be_repeated_says_what_differs(
    trained: tuple[str, str], change: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run, fingerprint = trained
    stated = json.loads(Path(f"r/records/{run}.json").read_text())["results"][fingerprint]["protocol"] | change
    Path("other.json").write_text(json.dumps(stated))
    assert main(["evaluate", run, "--protocol", "other.json", "results=r"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--protocol", "zz", "results=r"], "--protocol=zz: matches 0 protocols in r/records (none"),
        (
            ["--protocol", "zz", "evaluation.samples=30"],
            "evaluation.samples=30: with --protocol, `bench evaluate` takes results=",
        ),
    ],
)
def test_mistakes_end_in_one_sentence(
    trained: tuple[str, str], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", trained[0], *words]) == 2
    assert said in capsys.readouterr().err


def test_a_protocol_that_is_none_is_refused(trained: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("[1]", "no json", '{"results": {"a": {}}}', "3"):
        Path("other.json").write_text(content)
        assert main(["evaluate", trained[0], "--protocol", "other.json", "results=r"]) == 2
        assert "holds neither a protocol nor a record" in capsys.readouterr().err


def test_weights_of_another_version_are_refused(trained: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    file = Path(f"r/runs/{trained[0]}/final.ckpt")
    content = torch.load(file, weights_only=True)
    content["state_dict"] = {f"old.{name}": value for name, value in content["state_dict"].items()}
    torch.save(content, file)
    assert main(["evaluate", trained[0], "--protocol", trained[1], "results=r"]) == 2
    assert "weights of another version of the model; train it again" in capsys.readouterr().err


def test_a_sampler_that_a_user_names_is_judged_though_its_preset_only_times_it(
    finished: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished("ddpm", "evaluation.timed_only=[ddim-10]")
    (record,) = Path("r/records").glob("ddpm-*.json")
    ((key, before),) = json.loads(record.read_text())["results"].items()
    assert before["metrics"] == {}
    assert main(["evaluate", record.stem, "results=r"]) == 0
    assert "nothing new: ddim-10 is recorded, and evaluation.timed_only says" in capsys.readouterr().err
    assert main(["evaluate", record.stem, "results=r", "samplers.ddim-10.steps=10"]) == 0
    assert "ddim-10: it was only timed" in capsys.readouterr().err
    after = json.loads(record.read_text())["results"][key]
    assert after["metrics"]["fid"] > 0
    assert after["timing"] == before["timing"]


@pytest.mark.slow
def test_a_sampler_of_the_users_own_gives_the_row_of_the_suites_that_it_writes_out(
    finished: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished("ddpm")
    (file,) = Path("r/records").glob("ddpm-*.json")
    own = Path(SAMPLER.partition(":")[0])
    own.parent.mkdir()
    own.write_text(FILES[str(own)])
    assert main(["evaluate", file.stem, "results=r", f"samplers=[ddim-5,{SAMPLER}-5]"]) == 0
    rows = {result.protocol["sampler"]: (key, result) for key, result in records.read(file).results.items()}
    (_, ddim), (key, mine) = rows["ddim-5"], rows["written_out-5"]
    assert (mine.metrics, mine.timing["nfe"]) == (ddim.metrics, 5)
    assert mine.protocol["sampler_settings"]["function"].startswith("written_out-")
    assert mine.code["plugins"]["sampler written_out"].keys() == {"written_out.py"}
    again = ["evaluate", file.stem, "results=r", f"--protocol={key}"]
    assert main(again) == 0
    assert main(["table", "results=r"]) == 0
    assert "written_out-5" in Path("r/TABLE.md").read_text()
    capsys.readouterr()
    own.write_text(f"{own.read_text()}# a word more\n")
    OWN.clear()  # as in another process
    assert main(again) == 2
    assert "or its source files have changed since" in capsys.readouterr().err
    own.unlink()
    assert main(again) == 2
    assert "if it has moved, give samplers=[PLACE-STEPS]" in capsys.readouterr().err
    assert main(["evaluate", file.stem, "results=r", "samplers=[ddim-3]"]) == 0


def test_changes_that_come_to_nothing_say_why(
    trained: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, fingerprint = trained
    before = Path(f"r/records/{run}.json").read_bytes()
    assert main(["evaluate", run, "results=r", "evaluation.repeats=9"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "nothing to do" in said
    assert "nothing new: evaluation.repeats=9 concerns the timing, and recorded timings are kept" in said
    assert "every metric of default is recorded under these settings" in said
    assert Path(f"r/records/{run}.json").read_bytes() == before

    monkeypatch.setitem(METRICS, "fid", dataclasses.replace(METRICS["fid"], version=99))
    monkeypatch.setitem(METRICS, "toy", dataclasses.replace(METRICS["fid"], name="toy"))
    assert main(["evaluate", run, "results=r", "--protocol", fingerprint]) == 0
    assert "every figure of these versions agrees to six digits" in capsys.readouterr().out
    result = json.loads(Path(f"r/records/{run}.json").read_text())["results"][fingerprint]
    assert (result["versions"]["fid"], result["metrics"]["toy"]) == (99, result["metrics"]["fid"])


def test_a_run_of_a_package_that_is_gone_is_pointed_at_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    text = "from models.vae import VAE as Base\nclass VAE(Base): pass\nclass Other(Base): pass\n"
    write_package(tmp_path / "site", "gone", KINDS["model"].group, {"ours": "gone_pack:VAE"})
    Path("site/gone_pack.py").write_text(text)
    (config,) = load(["model=ours", "preset=smoke"])
    name, results = run_id(config), Path("r")
    records.write(
        Record(run_id=name, family="autoregressive-vae", config=config.model_dump(), code={}, libraries={},
               data_digest=""), results,
    )  # fmt: skip
    weights_of(ResultsFolder(results).run(name)).parent.mkdir(parents=True)
    weights_of(ResultsFolder(results).run(name)).touch()
    shutil.rmtree("site")
    with pytest.raises(ConfigError, match=r"no module gone_pack .*; if it has moved, give model=PLACE$"):
        changes_of(name, results, [])
    Path("copy.py").write_text(text)
    picks, changes = changes_of(name, results, ["model=./copy.py:VAE", "model.latent_dim=3"])
    assert (picks, changes["plugins"]) == ({}, {"model": {"place": f"{tmp_path}/copy.py:VAE"}})
    _, moved, _ = recorded_config(name, results, {"plugins": changes["plugins"]})
    assert (moved.model, run_id(moved), changed_sources(moved)) == (config.model, name, [])
    Path("copy.py").write_text(f"{text}# a word more\n")
    assert changed_sources(moved) == ["copy.py", "gone_pack.py"]
    for place in ("./copy.py:Other", "vae"):
        with pytest.raises(ConfigError, match=rf"model={place}: is {place[-5:].lstrip('y:')}, but {name} is of VAE$"):
            changes_of(name, results, [f"model={place}"])
