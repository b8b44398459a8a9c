"""CONTRIBUTING's worked examples do what they say."""

import importlib.util
import json
import re
import shutil
import sys
import textwrap
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import torch

import bench.evaluation.tasks.measures
import bench.evaluation.tasks.registry
import models.protocols
from bench.cli.main import main
from bench.evaluation.tasks.registry import ABILITIES
from bench.table.columns import SECTIONS
from models import MODELS

DOCUMENT = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text()


def blocks(heading: str, language: str = "python") -> list[str]:
    """The code of one section of the document."""
    (section,) = (part for part in DOCUMENT.split("\n## ") if part.startswith(heading))
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def pixel_gaussian(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the document's model, registered as the document says."""
    module_text, line = blocks("Add a model")
    (yaml,) = blocks("Add a model", "yaml")
    file = small_mnist / "pixel_gaussian.py"
    file.write_text(module_text)
    spec = importlib.util.spec_from_file_location("pixel_gaussian", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pixel_gaussian", module)
    spec.loader.exec_module(module)
    name, place = re.search(r'(\w+)="models\.([\w:]+)",', line).groups()  # type: ignore[union-attr]
    monkeypatch.setitem(MODELS, name, place)
    configs = small_mnist / "configs"
    shutil.copytree(str(files("configs")), configs)
    (configs / "model" / f"{name}.yaml").write_text(yaml)
    monkeypatch.setattr("bench.config.load.CONFIGS", configs)
    return name


def test_a_model_is_one_file_one_line_and_one_yaml(pixel_gaussian: str, small_mnist: Path) -> None:
    name = pixel_gaussian
    words = [f"model={name}", "preset=smoke", "results=r", "train.images=51200", "evaluation.samples=64"]
    assert main(["train", *words, "trainer.accelerator=cpu"]) == 0
    assert main(["table", "preset=smoke", "results=r"]) == 0
    assert name in (small_mnist / "r" / "TABLE.md").read_text()
    (record,) = (json.loads(file.read_text()) for file in (small_mnist / "r" / "records").glob(f"{name}-*.json"))
    assert record["images_seen"] == 51200
    assert main(["train", f"model={name}", "model.learning_rate=-1"]) == 2

    # maximum likelihood of independent Gaussians: each pixel's mean and deviation over the 512 training images
    from datamodules import DATAMODULES
    from datamodules.stream import to_unit

    data = DATAMODULES["mnist"]()
    data.setup()
    (weights,) = (small_mnist / "r" / "runs").glob("*/final.ckpt")
    state = torch.load(weights, weights_only=True)["state_dict"]
    pixels = to_unit(data.train_images)
    varied = pixels.std(0) > 0.3
    torch.testing.assert_close(state["mean"][varied], pixels.mean(0)[varied], atol=0.05, rtol=0)
    torch.testing.assert_close(state["log_deviation"].exp()[varied], pixels.std(0)[varied], atol=0.05, rtol=0.05)


def test_an_ability_is_a_protocol_an_entry_and_its_columns(
    pixel_gaussian: str, small_mnist: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"model={pixel_gaussian}", "preset=smoke", "results=r", "train.images=640", "evaluation.samples=64"]
    train = ["train", *words, "evaluation.timed_images=4", "trainer.accelerator=cpu"]
    assert main(train) == 0

    protocol, method, section, measure, lines, entry = blocks("Add an ability")
    names: dict[str, Any] = dict(vars(models.protocols))
    exec(protocol, names)
    monkeypatch.setattr(models.protocols, "Inpaints", names["Inpaints"], raising=False)
    model = MODELS[pixel_gaussian]
    own: dict[str, Any] = {**vars(sys.modules["pixel_gaussian"]), "inference": models.base.inference}
    exec(textwrap.dedent(method), own)
    monkeypatch.setattr(model, "inpaint", own["inpaint"], raising=False)
    names = dict(vars(bench.evaluation.tasks.measures))
    exec(measure, names)
    figures = names["inpainting_figures"]
    monkeypatch.setattr(bench.evaluation.tasks.measures, "inpainting_figures", figures, raising=False)
    names = dict(vars(bench.evaluation.tasks.registry))
    exec(lines, names)
    for name, ability in eval(f"{{{entry}}}", names).items():
        monkeypatch.setitem(ABILITIES, name, ability)
    with pytest.raises(ValueError, match=r"section=inpainting is none of bench.table.columns.SECTIONS, .* compression"):
        main(train)
    (added,) = eval(f"({section})", dict(vars(sys.modules["bench.table.columns"])))
    for module in [module for key, module in sys.modules.items() if key.startswith("bench.")]:
        if getattr(module, "SECTIONS", None) is SECTIONS:
            monkeypatch.setattr(module, "SECTIONS", (*SECTIONS, added))

    capsys.readouterr()
    assert main(train) == 0
    assert "missing: ability inpaint was not measured" in " ".join(capsys.readouterr().err.split())
    (record,) = (json.loads(file.read_text()) for file in Path("r/records").glob(f"{pixel_gaussian}-*.json"))
    (figures,) = (one["figures"] for one in record["abilities"].values() if one["protocol"]["ability"] == "inpaint")
    assert main(["table", "preset=smoke", "results=r"]) == 0
    text = Path("r/TABLE.md").read_text()
    assert f"{figures['psnr']:.1f}" in text.split("Inpainting")[1]
    assert main(["list", "models"]) == 0
    assert "inpaint]" in " ".join(capsys.readouterr().out.split())
    assert main(train) == 0
    assert "nothing to do" in capsys.readouterr().err
    assert main(["report", "results=r"]) == 0
    assert "Inpainting" in Path("r/report.html").read_text()
