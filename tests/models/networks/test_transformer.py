"""The causal transformer sees no future, and its cache changes the cost, not the result."""

import pytest
import torch

from models.networks.transformer import CausalTransformer, attention


def transformer(length: int = 7, dim: int = 16, depth: int = 2, heads: int = 4) -> CausalTransformer:
    return CausalTransformer(length, dim, depth, heads).eval()


def test_a_position_depends_on_itself_and_the_past_alone() -> None:
    model = transformer()
    x = torch.randn(1, 7, 16, requires_grad=True)
    for i in range(7):
        (gradient,) = torch.autograd.grad(model(x)[0, i].square() @ torch.arange(16.0), x)
        assert (gradient[0, : i + 1].abs().sum(1) > 0).all()
        assert (gradient[0, i + 1 :] == 0).all()


@torch.no_grad()
def test_one_position_at_a_time_gives_what_the_whole_sequence_gives() -> None:
    model, x = transformer(), torch.randn(3, 7, 16)
    cache = model.cache(3)
    pieces = [model(x[:, i : i + 1], cache) for i in range(7)]
    torch.testing.assert_close(torch.cat(pieces, 1), model(x))
    assert cache.seen == 7


@torch.no_grad()
def test_the_cache_is_kept_in_the_type_of_autocast() -> None:
    model, x = transformer(), torch.randn(2, 7, 16)
    with torch.autocast("cpu", torch.bfloat16):
        cache = model.cache(2)
        pieces = [model(x[:, i : i + 1], cache) for i in range(7)]
        whole = model(x)
    assert cache.memory.dtype == torch.bfloat16
    torch.testing.assert_close(torch.cat(pieces, 1), whole, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("causal", [True, False])
def test_attention_is_pytorchs(causal: bool) -> None:
    q, k, v = torch.randn(3, 2, 4, 5, 8)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    torch.testing.assert_close(attention(q, k, v, causal), expected)


def test_a_shorter_sequence_is_a_prefix_of_a_longer_one() -> None:
    model, x = transformer(), torch.randn(2, 7, 16)
    torch.testing.assert_close(model(x)[:, :4], model(x[:, :4]))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="dim=10 cannot be divided among heads=4"):
        transformer(dim=10)
