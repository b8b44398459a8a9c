"""Metrics, extractors and samplers of the user's own have names, places and digests, and none is part of the run."""

from pathlib import Path

import pytest

from bench.cli.main import main
from bench.config.components import configured, own_metrics, running_code, version
from bench.config.load import load
from bench.config.plugins import with_plugins
from bench.config.schema import Config, ConfigError
from bench.results.identity import alike, run_id
from models.diffusion.own_samplers import OWN
from tests.projects import DATA, EXTRACTOR, METRIC, MODEL, write_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The document's project, which is the working folder."""
    monkeypatch.chdir(write_project(tmp_path))
    return tmp_path


def test_metrics_and_an_extractor_have_names_and_their_places_are_no_part_of_the_run(project: Path) -> None:
    (plain,) = load([f"model={MODEL}", f"data={DATA}"])
    words = [f"evaluation.metrics=[{METRIC}]", f"evaluation.extractor={EXTRACTOR}"]
    (config,) = load([f"model={MODEL}", f"data={DATA}", *words])
    assert (config.evaluation.metrics, config.evaluation.extractor) == (["energy_distance"], "regions")
    assert list(config.plugins) == ["model", "data", "extractor", "metric energy_distance"]
    assert config.plugins["metric energy_distance"].place == f"{project}/figures/energy.py:energy_distance"
    assert (run_id(config), alike(config.model_dump())) == (run_id(plain), alike(plain.model_dump()))
    before = own_metrics(config)
    assert before.keys() == {"energy_distance"}
    for kind in config.plugins:
        assert configured(kind, config).load().__name__.lower() in ("probabilisticpca", "stripes", "regions", *before)
    assert running_code(config)["plugins"].keys() == config.plugins.keys()
    assert running_code(config, ("model",))["plugins"].keys() == {"model"}
    (again,) = [Config(**with_plugins(config.model_dump()))]
    assert again == config, "names keep their places"
    file = Path("figures/energy.py")
    file.write_text(file.read_text() + "# a word more\n")
    assert own_metrics(Config(**with_plugins(config.model_dump()))) != before
    (suites,) = load([f"model={MODEL}", "evaluation.extractor=mnist-cnn"])
    assert list(suites.plugins) == ["model"]


def test_places_in_a_yaml_of_the_users_begin_at_its_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("data/stripes.yaml").write_text(
        "evaluation: {extractor: '../features/regions.py:regions', metrics: ['../figures/energy.py:energy_distance']}\n"
    )
    monkeypatch.chdir("figures")
    (config,) = load(["model=vae", f"data=.{DATA}"])
    assert (config.evaluation.metrics, config.evaluation.extractor) == (["energy_distance"], "regions")
    assert config.plugins["extractor"].place == f"{project}/features/regions.py:regions"


METRICS_REFUSED = {  # a list of metrics, or a file's content for ./mine.py:mine -> what the sentence says
    "[./figures/energy.py]": "evaluation.metrics=./figures/energy.py: names no function; write evaluation.metrics=",
    "[./none.py:mine]": "evaluation.metrics=./none.py:mine: no file ",
    "[./figures/energy.py:energy]": "/energy.py has no function energy; it has energy_distance",
    "[fid]": "evaluation.metrics=fid: is one of the suite's own, which are all computed; name yours",
    "[energy_distanc]": "evaluation.metrics=energy_distanc: unknown; choose from fid, ",
    f"[{METRIC}, {METRIC}]": "evaluation.metrics: two are called energy_distance; rename one of them",
    "def FID(sets): pass": "evaluation.metrics=./mine.py:FID: would be fid in tables, which is a name of the suite's",
    "def nfe(sets): pass": "would be nfe in tables, which is a name of the suite's own; rename the function",
    "mine = 3": "mine is no function but of type int",
    "def mine(): pass": "mine takes (); it is called with the feature sets alone",
    "def mine(sets, other): pass": "mine takes (sets, other); it is called with the feature sets alone",
    "def mine(*, sets): pass": "mine takes (*, sets); it is called with the feature sets alone",
    "import nothing_of_this_name": "cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name' (",
    "from generative_trilemma import metric\n@metric('best')\ndef mine(sets): pass":
        "cannot be imported: ValueError: metric: direction='best'; choose from lower, higher, neither (",
}  # fmt: skip


@pytest.mark.parametrize("wrong", METRICS_REFUSED)
def test_a_metric_that_cannot_be_used_is_one_sentence(
    wrong: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_text(wrong)
    name = next((name for name in ("FID", "nfe") if f"def {name}" in wrong), "mine")
    value = wrong if wrong.startswith("[") else f"[./mine.py:{name}]"
    assert main(["train", f"model={MODEL}", f"data={DATA}", "results=out", f"evaluation.metrics={value}"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("bench: evaluation.metrics")
    assert METRICS_REFUSED[wrong] in said
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("./features/regions.py:region", "has no function region (did you mean regions?)"),
        ("./mine.py:mine", "mine takes (); it is called with a device alone"),
        ("./mine.py", "names no function; write evaluation.extractor=./mine.py:NAME"),
        (
            "./mine.py:coordinates",
            "would be coordinates in tables, which is a name of the suite's own; rename the function",
        ),
    ],
)
def test_an_extractor_that_cannot_be_used_is_one_sentence(text: str, said: str, project: Path) -> None:
    Path("mine.py").write_text("def mine(): pass\n")
    with pytest.raises(ConfigError) as error:
        load([f"model={MODEL}", f"data={DATA}", f"evaluation.extractor={text}"])
    assert str(error.value).startswith(f"evaluation.extractor={text}: ")
    assert said in str(error.value)


SAMPLER = """
def mine(denoiser, process, x, times, generator):
    return denoiser(x, x.new_full((len(x),), times[0]))
"""


def test_a_function_and_a_yaml_of_the_users_are_samplers_with_steps(project: Path) -> None:
    Path("mine.py").write_text(SAMPLER)
    Path("sharp.yaml").write_text("method: ddim\neta: 0.5\n")
    words = "[./mine.py:mine-20, ./sharp.yaml-10, ./sharp.yaml-10-w1.5, ./sharp.yaml, ddim-10]"
    (config,) = load(["model=ddpm", f"samplers={words}", "headline=mine-20"])
    (key,) = {settings["function"] for settings in config.samplers.values() if "function" in settings}
    eta = {"method": "ddim", "eta": 0.5}
    assert config.samplers == {
        "mine-20": {"function": key, "steps": 20}, "sharp-10": eta | {"steps": 10},
        "sharp-10-w1.5": eta | {"steps": 10, "label_guidance": 1.5}, "sharp": eta,
        "ddim-10": {"method": "ddim", "steps": 10},
    }  # fmt: skip
    assert key == version(config.plugins["sampler mine"].model_dump())
    assert OWN[key].__name__ == "mine"
    OWN.clear()
    assert Config(**with_plugins(config.model_dump())) == config
    assert OWN[key].__name__ == "mine", "of a recorded run, too"
    (plain,) = load(["model=ddpm"])
    assert run_id(config) == run_id(plain)
    Path("mine.py").write_text(SAMPLER + "# a word more\n")
    (changed,) = load(["model=ddpm", "samplers=[./mine.py:mine-20]"])
    assert changed.samplers["mine-20"]["function"] != key


@pytest.mark.parametrize(
    ("model", "text", "said"),
    [
        ("ddpm", "./none.py:mine-20", "samplers=./none.py:mine: no file "),
        ("ddpm", "./mine.py-20", "samplers=./mine.py: names no function; write samplers=./mine.py:NAME"),
        ("ddpm", "./mine.py:min-20", "has no function min (did you mean mine?)"),
        (
            "ddpm",
            "./mine.py:few-20",
            "few takes (denoiser); it is called with (denoiser, process, x, times, generator)",
        ),
        (
            "ddpm",
            "./mine.py:ddim-20",
            "samplers=./mine.py:ddim-20: would be ddim in tables, which is a name of the suite's",
        ),
        ("ddpm", "./none.yaml-20", "samplers=./none.yaml: not readable as settings (["),
        ("ddpm", "./list.yaml", "samplers=./list.yaml: not readable as settings (expected keys and values)"),
        ("ddpm", "./heun.yaml", "would be heun in tables, which is a name of the suite's own; rename it"),
        ("ddpm", "./wrong.yaml-20", "samplers.wrong-20.stepz: unknown key (did you mean steps?)"),
        ("flow_matching", "./mine.py:mine-20", "samplers.mine-20: model=flow_matching draws by no function of yours"),
        ("ddpm", "ddmi-20", "samplers=ddmi-20: unknown"),
    ],
)
def test_a_sampler_that_cannot_be_used_is_one_sentence(model: str, text: str, said: str, project: Path) -> None:
    Path("mine.py").write_text(SAMPLER + "def few(denoiser): pass\ndef ddim(a, b, c, d, e): pass\n")
    for name, content in {"list": "- 3", "heun": "{}", "wrong": "stepz: 3"}.items():
        Path(f"{name}.yaml").write_text(content)
    with pytest.raises(ConfigError) as error:
        load([f"model={model}", f"samplers=[{text}]"])
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
