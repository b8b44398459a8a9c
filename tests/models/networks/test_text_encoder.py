"""A caption's vector depends on its words and their order, and on no padding; without words it is zero."""

import torch

from models.networks.text_encoder import TextEncoder


def encoder(length: int = 6) -> TextEncoder:
    network = TextEncoder(10, length, 5).eval()
    with torch.no_grad():
        network.out.weight.normal_()
        network.out.bias.normal_()
    return network


def test_a_caption_without_words_is_zero_and_a_new_encoder_knows_none() -> None:
    tokens = torch.tensor([[0, 0, 0, 0, 0, 0], [3, 1, 0, 0, 0, 0]])
    encoded = encoder()(tokens)
    assert torch.equal(encoded[0], torch.zeros(5))
    assert encoded[1].abs().min() > 0
    assert torch.equal(TextEncoder(10, 6, 5)(tokens), torch.zeros(2, 5))


def test_padding_and_other_captions_change_nothing() -> None:
    network = encoder()
    caption = torch.tensor([[3, 1, 4, 0, 0, 0]])
    with torch.no_grad():
        network.place[4:] += torch.randn(3, 64)  # of places that hold no word
        alone = network(caption)
        network.place[4:] += torch.randn(3, 64)
        network.embed.weight[0] += 1.0
        torch.testing.assert_close(network(caption), alone)
        torch.testing.assert_close(network(torch.cat([caption, caption.flip(1)]))[:1], alone)


def test_the_order_of_words_counts() -> None:
    encoded = encoder()(torch.tensor([[3, 1, 4, 0, 0, 0], [1, 3, 4, 0, 0, 0]]))
    assert not torch.allclose(encoded[0], encoded[1])


def test_training_and_evaluation_mode_agree() -> None:
    network, tokens = encoder(), torch.tensor([[3, 1, 4, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    with torch.no_grad():  # of which PyTorch has another path
        evaluated = network(tokens)
    torch.testing.assert_close(network.train()(tokens), evaluated)
