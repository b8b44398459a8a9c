"""The patch's head: which values it sees, and what its embedding starts from."""

import pytest
import torch

from models.networks.patch_head import PatchHead, ordinal_embedding


def test_a_value_depends_on_the_features_and_on_every_earlier_value_of_its_own_patch() -> None:
    head = PatchHead(dim=5, places=4, levels=3, embedding=2, hidden=8)
    h, earlier = torch.randn(6, 5, requires_grad=True), torch.randn(6, 4, 2, requires_grad=True)
    for place in range(4):
        logits = head(h, earlier[:, :place])
        assert logits.shape == (6, 3)
        seen = torch.autograd.grad(logits[0].square().sum(), (h, earlier), allow_unused=place == 0)
        felt = [gradient for gradient in (seen[0][0], seen[1][0, :place]) if gradient.numel()]
        assert all((gradient != 0).all() for gradient in felt)
        assert all((gradient[1:] == 0).all() for gradient in seen)


def test_places_have_hidden_layers_of_their_own() -> None:
    head = PatchHead(dim=5, places=3, levels=4, embedding=2, hidden=8)
    h, earlier = torch.randn(1, 5), torch.zeros(1, 2, 2)
    assert not torch.allclose(head(h, earlier[:, :1]), head(h, earlier))


@torch.no_grad()
def test_logits_are_float32_under_autocast() -> None:
    head = PatchHead(dim=5, places=2, levels=256, embedding=2, hidden=8)
    with torch.autocast("cpu", torch.bfloat16):
        assert head(torch.randn(1, 5), torch.randn(1, 1, 2)).dtype == torch.float32


@pytest.mark.parametrize("levels", [2, 256])
def test_the_embedding_starts_orthogonal_and_orders_the_levels(levels: int) -> None:
    """As the columns of a cosine transform are; the first falls from the darkest level to the brightest."""
    dim = min(levels - 1, 16)
    embedding = ordinal_embedding(levels, dim)
    assert embedding.weight.requires_grad
    weight = embedding.weight.detach()
    torch.testing.assert_close(weight.T @ weight, levels / 2 * torch.eye(dim), atol=1e-3, rtol=0)
    assert (weight[1:, 0] < weight[:-1, 0]).all()
