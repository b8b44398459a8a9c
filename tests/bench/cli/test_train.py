"""`bench train` refuses settings that make no model before anything is trained."""

from pathlib import Path

import pytest

from bench.cli.main import main


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["model=vae", "model.latent_dim=0"], "model.latent_dim=0: input should be greater than 0"),
        (["model=vqvae", "model.codebook_size=1"], "model.codebook_size=1"),
        (["model=vqvae", "model.prior_heads=3"], "prior_dim=128 cannot be divided among prior_heads=3"),
        (["model=dae", "model.level=1.5"], "level=1.5"),
        (["model=dae", "model.corruption=blur"], "model.corruption=blur: input should be 'gaussian', 'masking'"),
        (["model=pixel_ar", "model.patch=0"], "model.patch=0"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_settings_that_make_no_model_are_refused_before_training(
    wrong: list[str], said: str, small_mnist: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "preset=smoke", *wrong]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (small_mnist / "results").exists()
