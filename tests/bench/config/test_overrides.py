"""A value is read by the type of its setting: what was typed is what is used, what has two meanings is refused."""

from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.load import load, results_folder
from bench.config.paths import expand
from bench.config.schema import ConfigError
from bench.results.identity import run_id
from bench.results.selection import table_selection
from bench.sweep.cells import all_cells
from bench.sweep.search_space import read


@pytest.mark.parametrize(
    "text", ["/data/set #2", "a: b", "{x", "[x]", "1:30", "20261126", "010", "on", "null", "1e5", " x ", "'q'", "${x"]
)
def test_a_text_is_what_was_typed(text: str) -> None:
    config = load(["model=vae", f"stamp={text}", f"wandb.project={text}", f"wandb.group={text}"])[0]
    assert (config.stamp, config.wandb.project) == (text, text)
    assert config.wandb.group == (None if text == "null" else text)  # which may be none


def test_paths_are_texts_as_well() -> None:
    config = load(["model=vae", "data=image_folder", "data.root=/data/set #2", "results=20261126"])[0]
    assert (config.data["root"], config.results) == ("/data/set #2", "20261126")


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("train.images=1_000", "images", 1000),
        ("train={'images': 640, 'batch': 8}", "images", 640),
        ("train={images: 640}", "images", 640),
        ("model.beta=1e-4", "beta", 1e-4),
        ("model.beta=3.0", "beta", 3.0),
        ("model.beta=.5", "beta", 0.5),
    ],
)
def test_numbers_are_decimal(word: str, key: str, value: float) -> None:
    config = load(["model=vae", word])[0]
    assert {**config.model, "images": config.train.images}[key] == value


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("model.attention=true", "attention", True),
        ("model.attention=False", "attention", False),
        ("model.snr_gamma=null", "snr_gamma", None),
        ("model.channels=[8, 16]", "channels", [8, 16]),
    ],
)
def test_what_is_no_text_and_no_number(word: str, key: str, value: object) -> None:
    assert load(["model=ddpm", word])[0].model[key] == value


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("model=vae seed=010", "seed=010: octal to some programs and decimal to others; write 10"),
        ("model=vae seed=-007", "seed=-007: octal to some programs and decimal to others; write -7"),
        ("model=vae model.beta=00.5", "model.beta=00.5: octal to some programs and decimal to others; write 0.5"),
        ("model=vae train.images=1:30", "train.images=1:30: input should be a valid integer"),
        ("model=vae seed=0x10", "seed=0x10: input should be a valid integer"),
        ("model=vae model.beta=inf", "model.beta=inf: input should be a valid number"),
        ("model=ddpm model.attention=on", "model.attention=on: input should be a valid boolean"),
        ("model=ddpm model.channels=[010,8]", "model.channels=010: octal"),
        ("model=ddpm model.channels=[8,8]#x", "model.channels=[8,8]#x: not readable; write it as [A, B]"),
        ("model=ddpm samplers=[ddim-50] samplers.fast.steps=5", "samplers is set both as a value and as a section"),
        ("model=vae seed=4294967296", "seed=4294967296: input should be less than 4294967296"),
        ("model=vae evaluation.seed=4294967296", "evaluation.seed=4294967296: input should be less than 4294967296"),
        ("model=vae results=", "results=: empty; name a path"),
        ("model=vae results=$NO_SUCH/r", "results=$NO_SUCH/r: $NO_SUCH is not set in the environment"),
        ("model=vae results=~nobody-here/r", "results=~nobody-here/r: no home folder of ~nobody-here; write ./~nobody"),
    ],
)
def test_what_means_nothing_or_two_things_is_refused(
    words: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NO_SUCH", raising=False)
    with pytest.raises(ConfigError) as error:
        load(words.split(" "))
    assert str(error.value).startswith(said) or said in str(error.value)


def test_paths_are_expanded_in_every_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SETS", "/data/sets")
    words = ["model=vae", "data=image_folder", "data.root=$SETS/x", "evaluation.extractor_weights=${SETS}/w.pt"]
    config = load([*words, "results=~/r"])[0]
    assert config.results == str(results_folder(["results=~/r"])) == str(tmp_path / "r")
    assert config.data["root"] == "/data/sets/x"
    assert config.evaluation.extractor_weights == "/data/sets/w.pt"
    assert table_selection(["results=$SETS/r", "protocol=012e45"]) == (Path("/data/sets/r"), {"protocol": "012e45"})
    assert expand("--images", "~") == str(tmp_path)


def test_an_existing_folder_with_a_dollar_in_its_name_can_be_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a$NO_SUCH").mkdir()
    assert expand("results", "a$NO_SUCH") == "a$NO_SUCH"
    assert expand("results", "5$ and $5 more") == "5$ and $5 more"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evaluate", "--images", "$NO_SUCH"], "--images=$NO_SUCH: $NO_SUCH is not set"),
        (["table", "--against=$NO_SUCH", "results=$RESULTS"], "--against=$NO_SUCH: $NO_SUCH is not set"),
        (["show", "x", "results=$NO_SUCH"], "results=$NO_SUCH: $NO_SUCH is not set"),
        (["sweep", "$NO_SUCH/x.yaml"], "FILE=$NO_SUCH/x.yaml: $NO_SUCH is not set"),
    ],
)
def test_options_that_are_paths_are_expanded(
    words: list[str],
    said: str,
    example_results: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    monkeypatch.setenv("RESULTS", str(example_results))
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_two_spellings_of_a_number_keep_the_two_ids_that_runs_were_recorded_under() -> None:
    assert run_id(load(["model=vae", "model.beta=2"])[0]) != run_id(load(["model=vae", "model.beta=2.0"])[0])


SWEEP = """
method: grid
parameters:
  {parameters}
command: [bench, train, model=vae, '${{args_no_hyphens}}']
"""


def test_a_sweep_files_values_are_texts_or_decimal_too(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(SWEEP.format(parameters="stamp: {values: [1:30, on, 010, 1e-4, 0x10]}"))
    stamps = [one.config.stamp for one in all_cells(read(str(file)), [])]
    assert stamps == ["1:30", "on", "010", "1e-4", "0x10"]
    file.write_text(SWEEP.format(parameters="model.beta: {values: [1e-4, 0.5]}"))
    assert [one.config.model["beta"] for one in all_cells(read(str(file)), [])] == [1e-4, 0.5]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            "seed: {values: [010]}",
            "cell 1 (seed=010): seed=010: octal to some programs and decimal to others; write 10",
        ),
        ("seed: {values: [0, 4294967296]}", "cell 2 (seed=4294967296): seed=4294967296: input should be less than"),
    ],
)
def test_a_bad_value_in_a_sweep_is_refused_before_any_cell_trains(parameters: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text(SWEEP.format(parameters=parameters))
    with pytest.raises(ConfigError) as error:
        all_cells(read(str(file)), [])
    assert str(error.value).startswith(said)


def test_a_sweep_files_name_is_its_group_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "sweep.yaml"
    file.write_text("name: 'a \"b\" #2'" + SWEEP.format(parameters="seed: {values: [0]}"))
    (one,) = all_cells(read(str(file)), [])
    assert one.config.wandb.group == 'a "b" #2'


@pytest.mark.parametrize("key", ["method", "parameters", "command"])
def test_what_a_sweep_file_lacks_is_said_as_a_line_of_the_file(key: str, tmp_path: Path) -> None:
    lines = {"method": "method: grid", "parameters": "parameters: {seed: {value: 0}}", "command": "command: [bench]"}
    file = tmp_path / "sweep.yaml"
    file.write_text("\n".join(line for name, line in lines.items() if name != key))
    with pytest.raises(ConfigError, match=f"^{key}: missing; add a line such as {key}: "):
        read(str(file))
