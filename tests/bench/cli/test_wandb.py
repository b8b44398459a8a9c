"""`bench wandb push` takes a selection of records and the settings of W&B only."""

from collections.abc import Callable


def test_what_a_command_does_not_use_is_refused_by_name(refusal: Callable[[str], str]) -> None:
    assert "evaluation: `bench wandb push` takes results, preset, data and wandb.*" in refusal(
        "wandb push evaluation.timed_images=3"
    )
