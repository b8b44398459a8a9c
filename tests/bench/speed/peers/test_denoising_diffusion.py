"""denoising-diffusion-pytorch trains the network that it is given, and samples in the steps it is told."""

import torch


def test_it_trains_the_given_network() -> None:
    from bench.speed.peers.denoising_diffusion import DenoisingDiffusion, unet

    net = unet((1, 8, 8), [8, 16])
    before = [parameter.clone() for parameter in net.parameters()]
    images = torch.randint(256, (64, 1, 8, 8), dtype=torch.uint8)
    assert DenoisingDiffusion(images, net, 16, torch.device("cpu"), bf16=False).turn(1, 0.0) == 16
    moved = [not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)]
    assert sum(moved) > len(moved) / 2, "first steps do not reach all: some gains start at zero"


def test_a_process_of_k_steps_evaluates_the_network_k_times() -> None:
    from bench.speed.peers.denoising_diffusion import diffusion, unet

    net, passes = unet((1, 8, 8), [8, 16]), []
    net.register_forward_hook(lambda *_: passes.append(1))
    assert diffusion(net, (1, 8, 8), 3).sample(batch_size=2).shape == (2, 1, 8, 8)
    assert len(passes) == 3
