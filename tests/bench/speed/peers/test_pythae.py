"""pythae trains the networks that it is given."""

from pathlib import Path

import torch


def test_pythae_trains_our_networks(tmp_path: Path) -> None:
    """An epoch moves the very weights that it was given."""
    from bench.speed.peers.pythae import BATCHES, Pythae
    from models.networks.autoencoder import encoder_and_decoder

    encoder, decoder = encoder_and_decoder("linear", (1, 4, 4), 4, 2, width=4, hidden=8)
    before = [parameter.clone() for net in (encoder, decoder) for parameter in net.parameters()]
    images = torch.randint(256, (500, 1, 4, 4), dtype=torch.uint8)
    assert Pythae(images, encoder, decoder, 8, tmp_path, latent_dim=2).turn(1, 0.0) == BATCHES * 8
    after = [parameter for net in (encoder, decoder) for parameter in net.parameters()]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))
