"""Numbers of a batch are uniform each and even together."""

import pytest
import torch

from models.stratified import stratified

CPU = torch.device("cpu")


@pytest.mark.parametrize("n", [1, 5, 32])
def test_a_batch_has_one_number_in_each_of_its_n_parts(n: int) -> None:
    for _ in range(100):
        u = stratified(n, CPU)
        assert (u >= 0).all()
        assert (u < 1).all()
        assert torch.bincount((u.double() * n + 1e-4).long() % n, minlength=n).tolist() == [1] * n


def test_each_place_of_a_batch_has_a_uniform_number() -> None:
    """Five standard errors of mean and of variance over 4,000 batches."""
    u = torch.stack([stratified(3, CPU) for _ in range(4000)]).double()
    assert (u.mean(0) - 0.5).abs().max() < 5 * (1 / 12 / 4000) ** 0.5
    assert (u.var(0) - 1 / 12).abs().max() < 5 * (1 / 180 / 4000) ** 0.5
