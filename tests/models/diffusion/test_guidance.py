"""Autoguidance is the good model at weight 1, the bad one at 0, and the closed form between two Gaussians."""

import pytest
import torch
from torch import Tensor

from models.conditional import classifier_free
from models.diffusion.guidance import autoguided, classifier_guided
from models.diffusion.process import Process, cosine_beta
from models.diffusion.samplers import Denoiser

PROCESS = Process(cosine_beta(50))
MEANS, DEVIATION = torch.tensor([-0.6, 0.1, 0.7]), 0.2  # of the pixels of the classes of an exact mixture
SHARES = torch.tensor([0.5, 0.2, 0.3])


def always(t: Tensor) -> bool:
    return True


def never(t: Tensor) -> bool:
    return False


def log_p_given(x: Tensor, t: Tensor) -> Tensor:
    """log p(x_t | y), up to a constant, of each class of the mixture: N x 3."""
    alpha_bar = PROCESS.alpha_bar[t].view(-1, 1, 1, 1, 1).float()
    variance = alpha_bar * DEVIATION**2 + 1 - alpha_bar
    apart = x[:, None] - alpha_bar.sqrt() * MEANS.view(1, -1, 1, 1, 1)
    return (-apart.square() / variance / 2).flatten(2).sum(2)


def logits(x: Tensor, t: Tensor) -> Tensor:
    """Those of the exact classifier of noisy images."""
    return log_p_given(x, t) + SHARES.log()


def score(log_density: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(log_density.sum(), x)[0]


def exact(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
    """The exact eps of labels y, where 3 stands for no label."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        every = torch.cat([log_p_given(x, t), logits(x, t).logsumexp(1, keepdim=True)], 1)
        return -PROCESS.deviation[t].view(-1, 1, 1, 1) * score(every.gather(1, y[:, None]), x)


def guided_exactly(x: Tensor, t: Tensor, y: Tensor, w: float) -> Tensor:
    """eps of the density p(x_t | y) ** (1 + w) / p(x_t) ** w."""
    x = x.detach().requires_grad_()
    given = log_p_given(x, t).gather(1, y[:, None]).flatten()
    tilted = (1 + w) * given - w * logits(x, t).logsumexp(1)
    return -PROCESS.deviation[t].view(-1, 1, 1, 1) * score(tilted, x)


def gaussian(variance: float) -> Denoiser:
    """The exact denoiser of images of independent N(0, variance) pixels."""

    def denoiser(x: Tensor, t: Tensor) -> Tensor:
        alpha_bar = PROCESS.alpha_bar[t].view(-1, 1, 1, 1).float()
        return x * (1 - alpha_bar).sqrt() / (alpha_bar * variance + 1 - alpha_bar)

    return denoiser


def test_weights_0_and_1_are_the_two_denoisers() -> None:
    good, bad = gaussian(0.5), gaussian(2.0)
    x, t = torch.randn(4, 1, 3, 3), torch.tensor([1, 10, 30, 50])
    torch.testing.assert_close(autoguided(good, bad, 0.0, always)(x, t), bad(x, t))
    torch.testing.assert_close(autoguided(good, bad, 1.0, always)(x, t), good(x, t))


def test_the_guided_image_is_the_extrapolated_one_of_equation_3() -> None:
    good, bad, weight = gaussian(0.5), gaussian(2.0), 2.5
    x, t = torch.randn(3, 1, 3, 3), 20
    times = torch.full((3,), t)
    images = [PROCESS.predict_x_0(x, t, eps(x, times)) for eps in (good, bad, autoguided(good, bad, weight, always))]
    torch.testing.assert_close(images[2], weight * images[0] + (1 - weight) * images[1])


def test_a_model_is_not_changed_by_guidance_with_itself() -> None:
    good = gaussian(0.7)
    x, t = torch.randn(3, 1, 3, 3), torch.full((3,), 20)
    torch.testing.assert_close(autoguided(good, good, 3.0, always)(x, t), good(x, t))


def test_at_other_times_the_good_model_is_alone() -> None:
    good, bad = gaussian(0.5), gaussian(2.0)
    x, t = torch.randn(3, 1, 3, 3), torch.full((3,), 20)
    assert torch.equal(autoguided(good, bad, 3.0, never)(x, t), good(x, t))


@pytest.mark.parametrize("t", [1, 10, 25, 50])
@pytest.mark.parametrize("w", [0.0, 0.5, 3.0])
def test_guidance_by_labels_and_by_the_exact_classifier_are_the_tilted_density_of_a_mixture(t: int, w: float) -> None:
    x, y, times = torch.randn(5, 1, 2, 2), torch.tensor([0, 1, 2, 0, 1]), torch.full((5,), t)
    expected = guided_exactly(x, times, y, w)
    by_labels = classifier_free(exact, y, 3, w, always)(x, times)
    torch.testing.assert_close(by_labels, expected, rtol=1e-4, atol=1e-4)
    free = torch.full_like(y, 3)
    by_classifier = classifier_guided(lambda x, t: exact(x, t, free), logits, PROCESS, y, w, always)(x, times)
    torch.testing.assert_close(by_classifier, expected, rtol=1e-4, atol=1e-4)


def test_without_weight_or_outside_the_interval_a_classifier_gives_the_conditional_model() -> None:
    x, y, times = torch.randn(3, 1, 2, 2), torch.tensor([2, 0, 1]), torch.full((3,), 20)
    free = torch.full_like(y, 3)
    for w, guided in ((0.0, always), (5.0, never)):
        eps = classifier_guided(lambda x, t: exact(x, t, free), logits, PROCESS, y, w, guided)(x, times)
        torch.testing.assert_close(eps, exact(x, times, y), rtol=1e-4, atol=1e-4)
