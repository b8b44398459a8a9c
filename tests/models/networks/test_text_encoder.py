"""A caption's vector depends on its words and their order, and on no padding; without words it is zero."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.captions import VOCABULARY, described, digits_of, draws, orders, phrased
from models.networks.text_encoder import TextEncoder


def encoder() -> TextEncoder:
    return TextEncoder(10, 5).eval()


def test_a_caption_without_words_is_zero_and_no_other() -> None:
    tokens = torch.tensor([[0, 0, 0, 0, 0, 0], [3, 1, 0, 0, 0, 0]])
    encoded = encoder()(tokens)
    assert torch.equal(encoded[0], torch.zeros(5))
    assert encoded[1].abs().min() > 0


def test_padding_and_other_captions_change_nothing() -> None:
    network = encoder()
    caption = torch.tensor([[3, 1, 4, 0, 0, 0]])
    with torch.no_grad():
        alone = network(caption)
        torch.testing.assert_close(network(caption[:, :3]), alone)
        torch.testing.assert_close(network(F.pad(caption, (0, 9))), alone)
        torch.testing.assert_close(network(torch.cat([caption, caption.flip(1)]))[:1], alone)


def test_the_order_of_words_counts() -> None:
    encoded = encoder()(torch.tensor([[3, 1, 4, 0, 0, 0], [1, 3, 4, 0, 0, 0]]))
    assert not torch.allclose(encoded[0], encoded[1])


def test_training_and_evaluation_mode_agree() -> None:
    network, tokens = encoder(), torch.tensor([[3, 1, 4, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    with torch.no_grad():  # of which PyTorch has another path
        evaluated = network(tokens)
    torch.testing.assert_close(network.train()(tokens), evaluated)


@pytest.mark.slow
def test_which_digit_has_which_colour_is_learned_in_300_batches() -> None:
    """A mean over words that did not know their neighbours would stay at a third: three digits, in any colour."""
    torch.manual_seed(0)
    network, read_out = TextEncoder(len(VOCABULARY), 128), nn.Sequential(nn.SiLU(), nn.Linear(128, 30))
    optimizer = torch.optim.Adam([*network.parameters(), *read_out.parameters()], lr=2e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda batch: min(1.0, (batch + 1) / 100))
    right = []
    for _ in range(300):
        digits = digits_of(torch.randint(1000, (64,)), 3)
        u = torch.rand(64, draws(3))
        tokens = phrased(described(digits, torch.randint(3, (64, 3, 2)), u), u, orders(3))
        logits = read_out(network(tokens)).view(64, 3, 10)
        optimizer.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), digits.flatten()).backward()
        optimizer.step()
        schedule.step()
        right.append((logits.argmax(2) == digits).double().mean().item())
    assert min(right[-5:]) > 0.95
