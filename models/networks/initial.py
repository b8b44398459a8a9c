"""Initial weights that keep a signal's size through deep stacks without normalisation layers."""

import math

from torch import nn


def keep_variance(module: nn.Module) -> None:
    """Normal weights of variance 2 / fan-in and zero biases, for `Module.apply`; other modules stay as they are.

    He et al. 2015, Delving Deep into Rectifiers (arXiv:1502.01852), Eq. 10. It is exact for ReLU; SiLU passes a little
    less on, so that no signal explodes. PyTorch's own weights shrink it at every layer: of the differences between
    images less than a millionth passes the convolutional autoencoder, which then spends its first hundreds of batches
    on one mean image.
    """
    if not isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        return
    fan_in = module.weight[0].numel()
    if isinstance(module, nn.ConvTranspose2d):  # in x out x kernel; an output meets 1 / stride^2 of the kernel
        fan_in = module.in_channels * math.prod(module.kernel_size) // math.prod(module.stride)
    nn.init.normal_(module.weight, std=math.sqrt(2 / fan_in))
    if module.bias is not None:
        nn.init.zeros_(module.bias)
