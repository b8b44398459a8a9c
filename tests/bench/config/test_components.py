"""A name of the suite, a name of an installed package, or a place: each is one component, of one name."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.list import LISTS
from bench.cli.main import main
from bench.config.components import KINDS, changed_sources, configured, find, own_metrics, running_code
from bench.config.load import load
from bench.config.schema import ConfigError
from bench.results.identity import alike, described, run_id
from datamodules import DATAMODULES
from models import MODELS
from tests.projects import DATA, MODEL, write_package, write_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The document's project, which is the working folder."""
    monkeypatch.chdir(write_project(tmp_path))
    return tmp_path


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function: a package's name, a kind, and its entry points of the kind -> it is installed for this test."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def installed(name: str, kind: str = "model", **entries: str) -> None:
        write_package(site, name, KINDS[kind].group, entries)

    return installed


def test_every_name_of_the_suite_is_its_own_class() -> None:
    for kind, registry in (("model", MODELS), ("data", DATAMODULES)):
        for name in registry:
            component = find(kind, name)
            assert (component.name, component.place) == (name, None)
            assert component.load() is registry[name]


def test_the_place_of_a_class_gives_a_configuration_with_its_own_yaml(project: Path) -> None:
    (config,) = load([f"model={MODEL}", f"data={DATA}", "preset=smoke"])
    assert config.model == {"name": "probabilistic_pca", "components": 16}
    assert config.data == {"name": "stripes"}
    assert config.evaluation.extractor == "mnist-cnn"
    assert (config.headline, list(config.samplers)) == ("full", ["full", "cool"])
    assert (config.train.images, config.train.batch) == (3200, 64), "the preset's for models of the user's own"
    assert configured("model", config).load().__name__ == "ProbabilisticPCA"
    Path("models/probabilistic_pca.yaml").unlink()
    (bare,) = load([f"model={MODEL}", "preset=smoke"])
    assert (bare.model, bare.samplers, bare.headline) == ({"name": "probabilistic_pca"}, {}, None)
    assert load([f"model={MODEL}", "data=grid_25"])[0].data["name"] == "grid_25", "data with settings for models, too"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("model.componets=3", "unknown key (did you mean components?); known here: components, learning_rate"),
        ("model.components=0", "greater than 0"),
        ("samplers.hot.heat=2", "known here: temperature"),
        ("plugins.model.place=x", "cannot be set; write model=PLACE or data=PLACE"),
    ],
)
def test_the_constructor_is_the_schema(word: str, said: str, project: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load([f"model={MODEL}", word])
    assert said in str(error.value)


def test_an_unreadable_yaml_is_one_sentence(project: Path) -> None:
    for text in ("model: [", "- 3\n"):
        Path("models/probabilistic_pca.yaml").write_text(text)
        with pytest.raises(ConfigError, match=r"models/probabilistic_pca.yaml: not readable as settings \(.*\)$"):
            load([f"model={MODEL}"])


def test_the_same_files_are_one_run_wherever_they_lie_and_other_files_are_another(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = load([f"model={MODEL}"])
    write_project(project / "elsewhere")
    monkeypatch.chdir("elsewhere")
    (copy,) = load([f"model={MODEL}"])
    assert copy.plugins["model"].place != first.plugins["model"].place
    assert run_id(copy) == run_id(first)
    assert str(project) not in json.dumps(described(first.model_dump()))
    for name in ("factors.py", "densities.py"):
        file = Path("models") / name
        before = file.read_text()
        file.write_text(before + "# a word more\n")
        (changed,) = load([f"model={MODEL}"])
        assert run_id(changed) != run_id(first)
        assert alike(changed.model_dump()) != alike(first.model_dump())
        assert changed_sources(copy) == [name]
        assert running_code(copy)["plugins"]["model"] == changed.plugins["model"].sources
        file.write_text(before)
    assert changed_sources(copy) == []


def test_two_classes_of_one_name_are_two_runs(project: Path) -> None:
    text = "from models.vae import VAE\nclass Mine(VAE): pass\nclass MINE(VAE): pass\n"
    for name in ("a.py", "b.py"):
        Path(name).write_text(f"{text}# {name}\n")
    places = ["./a.py:Mine", "./a.py:MINE", "./b.py:Mine"]
    configs = [load([f"model={place}"])[0] for place in places]
    assert {config.model["name"] for config in configs} == {"mine"}
    assert len({run_id(config) for config in configs}) == 3


def test_a_run_of_the_suites_own_model_has_the_id_that_it_always_had() -> None:
    (config,) = load(["model=gan", "preset=quick"])
    assert config.plugins == {}
    assert run_id(config) == "gan-mnist-0-b149754e"


def test_a_name_of_the_suites_own_is_refused(project: Path) -> None:
    Path("mine.py").write_text("from models.vae import VAE\n")
    with pytest.raises(ConfigError, match=r"VAE: would be vae in tables, which is a name of the suite's own; rename"):
        find("model", "./mine.py:VAE")
    with pytest.raises(ConfigError, match="letters A to Z"):
        find("model", "./mine.py:Größe")


def test_an_entry_of_an_installed_package_is_a_name(project: Path, install: Callable[..., None]) -> None:
    Path("acme.py").write_text("from models.vae import VAE\nclass Mine(VAE): pass\n")
    install("acme", ours="acme:Mine", broken="nowhere:X", vae="acme:Mine")
    component = find("model", "ours")
    assert (component.name, component.load().__name__) == ("ours", "Mine")
    assert find("model", "vae").load() is MODELS["vae"], "whatever is installed"
    with pytest.raises(
        ConfigError, match=r"model=our: unknown \(did you mean ours\?\); choose from .*ddgan, broken, ours"
    ):
        find("model", "our")
    with pytest.raises(ConfigError, match=r"model=broken: no module nowhere is installed"):
        find("model", "broken")
    install("other", ours="acme:VAE")
    with pytest.raises(ConfigError, match=r"model=ours: is of acme 1.2, acme:Mine and other 1.2, acme:VAE"):
        find("model", "ours")


def test_entries_are_listed_without_being_imported_and_stop_no_other_command(
    project: Path, install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("unimported.py").write_text("raise SystemExit('imported')\n")
    install("acme", ours="unimported:Mine", vae="unimported:Mine")
    assert LISTS["models"]()[-2:] == [
        ("ours", "", "acme 1.2, unimported:Mine"),
        ("vae", "not usable: vae is a name of the suite's own", "acme 1.2, unimported:Mine"),
    ]
    assert main(["list", "models"]) == 0
    assert "acme 1.2, unimported:Mine" in capsys.readouterr().out
    assert load(["model=vae"])[0].model["name"] == "vae"
    assert "unimported" not in sys.modules


def test_a_place_is_looked_up_without_torch(project: Path) -> None:
    code = (
        f"import sys; from bench.config.components import find; find('model', {MODEL!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["False"], done.stderr


def test_an_installed_metric_is_listed_and_named(
    project: Path,
    install: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("acme_figures.py").write_text("def gap(sets):\n    return 1.0\n")
    install("acme", "metric", distance="acme_figures:gap", fid="acme_figures:gap")
    assert LISTS["metrics"]()[-2:] == [
        ("distance", "", "acme 1.2, acme_figures:gap"),
        ("fid", "not usable: fid is a name of the suite's own", "acme 1.2, acme_figures:gap"),
    ]
    assert "acme_figures" not in sys.modules
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["list", "metrics"]) == 0
    assert "acme 1.2, acme_figures:gap" in capsys.readouterr().out
    (config,) = load([f"model={MODEL}", "evaluation.metrics=[distance]"])
    assert (config.evaluation.metrics, config.plugins["metric distance"].place) == (["distance"], "acme_figures:gap")
    assert own_metrics(config)["distance"].startswith("gap-")
    with pytest.raises(ConfigError, match=r"evaluation.metrics=distanc: unknown \(did you mean distance\?\)"):
        load([f"model={MODEL}", "evaluation.metrics=[distanc]"])
