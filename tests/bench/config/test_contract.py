"""A class that no model or data set can be made of is refused in one sentence, before anything is loaded."""

from pathlib import Path

import pytest

from bench.config.components import KINDS, find
from bench.config.contract import check_data, check_model
from bench.config.schema import ConfigError
from bench.table.rules import BEYOND, FAMILIES, REFERENCE
from models import base
from tests.projects import FILES

MODEL, DATA = FILES["models/factors.py"], FILES["data/stripes.py"]
MODELS = {  # the document's model with a text replaced -> what the sentence says
    ("(GenerativeModel)", ""): "is no GenerativeModel; derive it from generative_trilemma.GenerativeModel",
    ("def sample(", "def draw("): "has no sample",
    ("def training_step(", "def step("): "has no training_step",
    ("def networks(", "def modules_of_it("): "has no networks",
    ('family = "autoregressive-vae"', "pass"): "has no family; set family = one of autoregressive-vae, gan, diffusion",
    ("autoregressive-vae", "difusion"): "has family='difusion' (did you mean diffusion?)",
    ("autoregressive-vae", "data"): "has family='data'; choose from",
    ("components: PositiveInt", "components"): "has a constructor whose components has no annotation",
    ("components: PositiveInt", "components: 'Component'"): "has a constructor whose annotations are no schema: name",
    ("components: PositiveInt", "components: nn.Module"): "has a constructor whose annotations are no schema: Unable",
    ("*, components", "components"): "has a constructor whose components is not keyword-only; write * before it",
    (
        "*, components: PositiveInt = 8, learning_rate: PositiveFloat = 0.01",
        "**settings",
    ): "has a constructor with *args or **kwargs",
    ("data: DataSpec, *,", "*, data: int = 1,"): "has a constructor without data",
    ("temperature: PositiveFloat", "temperature"): "has a sample whose temperature has no annotation",
    (", generator: torch.Generator", ""): "has a sample without generator",
}
DATAS = {
    ("(ImageDataModule)", ""): "is no ImageDataModule; derive it from generative_trilemma.ImageDataModule",
    ("def load(", "def read("): "has no load",
    ("    def load(", "    def __init__(self): super().__init__()\n    def load("): "takes no batch_size and no images",
}


def refusal(kind: str, text: str, change: tuple[str, str], class_name: str, folder: Path) -> str:
    assert change[0] in text
    (folder / "densities.py").write_text(FILES["models/densities.py"])
    (folder / "mine.py").write_text(text.replace(*change, 1))
    place = f"{folder}/mine.py:{class_name}"
    with pytest.raises(ConfigError) as error:
        find(kind, place).load()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value).removeprefix(f"{kind}={place}: {class_name} ")


@pytest.mark.parametrize("change", MODELS, ids=str)
def test_a_model_that_breaks_the_contract_is_refused(change: tuple[str, str], tmp_path: Path) -> None:
    assert refusal("model", MODEL, change, "ProbabilisticPCA", tmp_path).startswith(MODELS[change])


@pytest.mark.parametrize("change", DATAS, ids=str)
def test_a_data_set_that_breaks_the_contract_is_refused(change: tuple[str, str], tmp_path: Path) -> None:
    assert refusal("data", DATA, change, "Stripes", tmp_path).startswith(DATAS[change])


def test_the_suites_own_classes_keep_it() -> None:
    for model in KINDS["model"].registry.values():
        check_model(model)
    for data in KINDS["data"].registry.values():
        check_data(data)


def test_the_families_are_those_that_the_table_names() -> None:
    assert {*FAMILIES, *BEYOND, *REFERENCE} == {*base.FAMILIES, "outside"}
