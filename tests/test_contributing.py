"""CONTRIBUTING's worked example does what it says."""

import importlib.util
import json
import re
import shutil
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from bench.cli import main
from models import MODELS

DOCUMENT = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text()


def test_a_model_is_one_file_one_line_and_one_yaml(small_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module_text, line = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    file = small_mnist / "pixel_gaussian.py"
    file.write_text(module_text)
    spec = importlib.util.spec_from_file_location("pixel_gaussian", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pixel_gaussian", module)
    spec.loader.exec_module(module)
    name, class_name = re.fullmatch(r'"(\w+)": (\w+),', line.strip()).groups()  # type: ignore[union-attr]
    monkeypatch.setitem(MODELS, name, getattr(module, class_name))
    configs = small_mnist / "configs"
    shutil.copytree(str(files("configs")), configs)
    (configs / "model" / f"{name}.yaml").write_text(yaml)
    monkeypatch.setattr("bench.config.CONFIGS", configs)

    words = [f"model={name}", "preset=smoke", "results=r", "train.images=51200", "evaluation.samples=256"]
    assert main(["train", *words, "trainer.accelerator=cpu"]) == 0
    assert main(["table", "preset=smoke", "results=r"]) == 0
    assert name in (small_mnist / "r" / "TABLE.md").read_text()
    (record,) = (json.loads(file.read_text()) for file in (small_mnist / "r" / "records").glob(f"{name}-*.json"))
    assert record["images_seen"] == 51200
    assert main(["train", f"model={name}", "model.learning_rate=-1"]) == 2

    # maximum likelihood of independent Gaussians: each pixel's mean and deviation over the 512 training images
    from datamodules import DATAMODULES, to_unit

    data = DATAMODULES["mnist"]()
    data.setup()
    (weights,) = (small_mnist / "r" / "runs").glob("*/final.ckpt")
    state = torch.load(weights, weights_only=True)["state_dict"]
    pixels = to_unit(data.train_images)
    varied = pixels.std(0) > 0.3
    torch.testing.assert_close(state["mean"][varied], pixels.mean(0)[varied], atol=0.05, rtol=0)
    torch.testing.assert_close(state["log_deviation"].exp()[varied], pixels.std(0)[varied], atol=0.05, rtol=0.05)
