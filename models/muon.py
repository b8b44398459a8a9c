"""Muon for the hidden weights of a network and Adam for all others, as one optimizer."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM, STEPS = 0.95, 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the Newton-Schulz iteration, as in the author's code
RATIO = 10.0  # of Muon's rate to Adam's
BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam
OTHERS = ("stem", "out", "embed", "modulation")  # modules whose weights are Adam's: first, last, and those of the time


def orthogonalised(matrices: Tensor) -> Tensor:
    """Return about U V^T of each matrix U S V^T of N x rows x columns, by Newton-Schulz iterations.

    Jordan et al. 2024, Muon (https://kellerjordan.github.io/posts/muon). Singular values of a
    hundredth of the matrix's Frobenius norm or more end between 0.68 and 1.14.
    """
    a, b, c = COEFFICIENTS
    wide = matrices.transpose(1, 2) if matrices.shape[1] > matrices.shape[2] else matrices
    X = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        A = X @ X.transpose(1, 2)
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return X if wide is matrices else X.transpose(1, 2)


def hidden_weights(network: nn.Module) -> Iterator[Tensor]:
    """Yield the weights of the convolutions and linear layers that are not among OTHERS."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not set(name.split(".")) & set(OTHERS):
            yield module.weight


def gradients_of(weights: Iterable[Tensor]) -> list[Tensor]:
    return [weight.grad for weight in weights if weight.grad is not None]


class Muon(torch.optim.Optimizer):
    """Muon, with Nesterov's momentum and without weight decay, for a network's hidden weights; Adam for the others.

    A convolution's kernel is a matrix of outputs x (inputs height width). Steps of matrices are multiplied by
    sqrt(max(1, outputs / inputs)). learning_rate: of Adam; Muon's is RATIO times as high.
    """

    def __init__(self, network: nn.Module, learning_rate: float) -> None:
        hidden = list(hidden_weights(network))
        known = {id(weight) for weight in hidden}
        others = [parameter for parameter in network.parameters() if id(parameter) not in known]
        groups = [
            {"params": hidden, "lr": RATIO * learning_rate, "muon": True},
            {"params": others, "lr": learning_rate, "muon": False},
        ]
        super().__init__([group for group in groups if group["params"]], {})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step; closure: computes the loss and the gradients first, and its result is returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if group["muon"]:
                self.step_matrices(weights, group["lr"])
            elif weights:
                self.step_adam(weights, group["lr"])
        return loss

    def step_matrices(self, weights: list[Tensor], rate: float) -> None:
        """Step weights of one shape together."""
        for shape in dict.fromkeys(weight.shape for weight in weights):
            alike = [weight for weight in weights if weight.shape == shape]
            averages = [self.state[weight].setdefault("average", torch.zeros_like(weight)) for weight in alike]
            gradients = gradients_of(alike)
            torch._foreach_lerp_(averages, gradients, 1 - MOMENTUM)
            ahead = torch.stack([g.lerp(m, MOMENTUM) for g, m in zip(gradients, averages, strict=True)])
            updates = orthogonalised(ahead.flatten(2)).view(len(alike), *shape)
            scale = math.sqrt(max(1.0, shape[0] / math.prod(shape[1:])))
            torch._foreach_add_(alike, list(updates), alpha=-rate * scale)

    def step_adam(self, weights: list[Tensor], rate: float) -> None:
        """Kingma and Ba 2015 (arXiv:1412.6980), Algorithm 1."""
        for weight in weights:
            if "step" not in self.state[weight]:
                zeros = {"mean": torch.zeros_like(weight), "square": torch.zeros_like(weight)}
                self.state[weight] |= zeros | {"step": 0}
            self.state[weight]["step"] += 1
        k = self.state[weights[0]]["step"]
        means, squares = ([self.state[weight][key] for weight in weights] for key in ("mean", "square"))
        gradients = gradients_of(weights)
        torch._foreach_lerp_(means, gradients, 1 - BETAS[0])
        torch._foreach_mul_(squares, BETAS[1])
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - BETAS[1])
        roots = torch._foreach_div(torch._foreach_sqrt(squares), math.sqrt(1 - BETAS[1] ** k))
        torch._foreach_add_(roots, EPSILON)
        torch._foreach_addcdiv_(weights, means, roots, -rate / (1 - BETAS[0] ** k))
