"""The quantiser against a reference implementation and at the fixed points of its averages.

On two ranks it is tested by its model, in tests/models/test_ranks.py.
"""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import VectorQuantize

from models.networks.quantiser import Quantiser


def quantiser(codebook: Tensor, **settings: Any) -> Quantiser:
    """A quantiser that goes on from this codebook, without restarts unless they are asked for."""
    made = Quantiser(*codebook.shape, **({"restart": 0.0} | settings))
    made.codebook.copy_(codebook)
    made.sums.copy_(codebook)
    made.initialised.fill_(True)
    return made


def grid(vectors: Tensor) -> Tensor:
    """M x D vectors as one image's grid, 1 x D x 1 x M."""
    return vectors.T[None, :, None]


def test_several_updates_are_those_of_the_reference_implementation() -> None:
    torch.manual_seed(0)
    codebook, beta = torch.randn(12, 5), 0.25
    mine = quantiser(codebook)
    reference = VectorQuantize(
        dim=5, codebook_size=12, decay=0.99, eps=1e-5, commitment_weight=beta, accept_image_fmap=True,
        threshold_ema_dead_code=0, rotation_trick=False,
    )  # fmt: skip
    reference.codebook = codebook
    reference._codebook.embed_avg.copy_(codebook)
    for _ in range(8):
        z = torch.randn(6, 5, 3, 4)
        weight = torch.randn_like(z)  # of the loss behind the quantiser
        mine_z, its_z = z.clone().requires_grad_(), z.clone().requires_grad_()
        q = mine(mine_z)
        its_grid, its_codes, its_commitment = reference(its_z)
        assert torch.equal(q.codes, its_codes)
        torch.testing.assert_close(q.grid, its_grid)
        commitment = beta * q.commitment.sum() / z.numel()  # which the reference takes as a mean
        torch.testing.assert_close(commitment, its_commitment.squeeze())
        ((q.grid * weight).sum() + commitment).backward()
        ((its_grid * weight).sum() + its_commitment.sum()).backward()
        torch.testing.assert_close(mine_z.grad, its_z.grad)
        torch.testing.assert_close(mine.codebook, reference.codebook)
        torch.testing.assert_close(mine.counts, reference._codebook.cluster_size[0])
    assert (mine.codebook - codebook).abs().max() > 0.01


def test_the_gradient_is_that_of_the_identity_and_of_the_commitment() -> None:
    made = quantiser(torch.randn(7, 3)).eval()
    z, weight = torch.randn(2, 3, 4, 5, requires_grad=True), torch.randn(2, 3, 4, 5)
    q = made(z)
    (gradient,) = torch.autograd.grad((q.grid * weight).sum() + 0.25 * q.commitment.sum(), z)
    torch.testing.assert_close(gradient, weight + 0.5 * (z - made.lookup(q.codes)).detach())
    assert not q.codes.is_floating_point()


def test_the_code_is_the_nearest_in_float32_even_under_autocast() -> None:
    """Codes that bfloat16 cannot tell apart."""
    made = quantiser(10 + 0.001 * torch.randn(50, 4)).eval()
    z = 10 + 0.001 * torch.randn(3, 4, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        q = made(z)
    exact = torch.cdist(z.permute(0, 2, 3, 1).reshape(-1, 4).double(), made.codebook.double())
    chosen = exact.gather(1, q.codes.flatten()[:, None])[:, 0]
    assert (chosen <= exact.min(1).values + 1e-3 * exact.mean()).all()
    assert q.grid.dtype == q.commitment.dtype == torch.float32


def test_updates_on_fixed_vectors_end_at_the_means_of_the_clusters() -> None:
    """The fixed point of k-means."""
    vectors = torch.randn(200, 2) + torch.tensor([[8.0, 0.0], [0.0, 8.0], [-8.0, 0.0], [0.0, -8.0]]).repeat(50, 1)
    made = quantiser(vectors[:4])
    for _ in range(3000):
        q = made(grid(vectors))
    codes = q.codes.flatten()
    means = torch.stack([vectors[codes == k].mean(0) for k in range(4)])
    torch.testing.assert_close(made.codebook, means, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(made.counts, torch.full((4,), 50.0), atol=1e-3, rtol=0)


def test_a_dead_code_is_revived_and_without_restarts_it_is_not() -> None:
    torch.manual_seed(0)
    vectors, codebook = torch.randn(64, 2), torch.cat([torch.randn(7, 2), torch.full((1, 2), 1e3)])
    used: dict[float, set[int]] = {}
    for restart in (0.0, 0.03):
        made = quantiser(codebook, restart=restart)
        for _ in range(500):
            q = made(grid(vectors))
        used[restart] = set(q.codes.flatten().tolist())
        if restart:
            assert made.codebook.abs().max() < 10
            torch.testing.assert_close(made.sums / made.counts[:, None], made.codebook, rtol=1e-3, atol=1e-3)
        else:
            torch.testing.assert_close(made.codebook[7], codebook[7], rtol=0.01, atol=0)
    assert 7 not in used[0.0]
    assert used[0.03] == set(range(8))


def test_the_perplexity_counts_the_codes_that_are_used_alike() -> None:
    made = quantiser(torch.eye(6)).eval()
    assert float(made(grid(torch.eye(6))).perplexity) == pytest.approx(6)
    assert float(made(grid(torch.eye(6)[[2, 2, 2]])).perplexity) == 1
    assert float(made(grid(torch.eye(6)[[1, 1, 4, 4, 5, 5]])).perplexity) == pytest.approx(3)
    expected = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert float(made(grid(torch.eye(6)[[0, 0, 0, 3]])).perplexity) == pytest.approx(expected)


def test_the_first_batch_gives_the_codes() -> None:
    """Before it is quantised itself: as many vectors as there are codes are their own codes."""
    vectors = 5 + torch.randn(30, 4)
    made = Quantiser(30, 4)
    torch.testing.assert_close(made(grid(vectors)).grid, grid(vectors))
    assert made.initialised
    fresh = Quantiser(12, 4)
    fresh.initialise(vectors)
    distances = torch.cdist(fresh.codebook, vectors, compute_mode="donot_use_mm_for_euclid_dist")
    assert (distances.min(1).values < 1e-5).all()
    assert len(set(distances.argmin(1).tolist())) == 12, "no vector twice"


def test_a_codebook_larger_than_the_batch_has_codes_that_differ() -> None:
    vectors = torch.randn(5, 4)
    made = Quantiser(32, 4)
    made.initialise(vectors)
    distances = torch.cdist(made.codebook, vectors)
    assert distances.min(1).values.max() < 0.2
    assert distances.argmin(1).bincount().min() >= 6
    assert len(made.codebook.unique(dim=0)) == 32
    q = made(grid(vectors))
    torch.testing.assert_close(q.grid, grid(vectors))


def test_evaluation_changes_nothing() -> None:
    made = Quantiser(8, 3).eval()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    made(torch.randn(2, 3, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


def test_the_state_is_all_that_goes_on() -> None:
    """A quantiser loaded in the middle goes on as the other does, restarts included, from the same random state."""
    first, batches = Quantiser(16, 3), [torch.randn(2, 3, 4, 4) for _ in range(6)]
    for batch in batches[:3]:
        first(batch)
    second = Quantiser(16, 3)
    second.load_state_dict(first.state_dict())
    for made in (first, second):
        torch.manual_seed(7)
        for batch in batches[3:]:
            made(batch)
    assert all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())
