"""A conditional model at w = 0 is itself, without a label the unconditional one, and each image has its own label."""

from collections.abc import Callable
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from models.base import DataSpec, GenerativeModel
from models.captions import UNSAID, digits_of, held_out_combinations, label_of, read, tokens_of
from models.conditional import check_labels, class_count, classifier_free, dropped
from models.protocols import SamplesCaptioned, SamplesGiven
from models.strokes import strokes, thirds
from tests.models.cases import CASES, CLASS_SHARES, LINEAR, POINT, TINY_DDPM, TINY_FLOW, Case, build

LABELLED = {name: case for name, case in CASES.items() if "label" in name or "classifier" in name}
SHAPE = (1, 8, 8)
CAPTIONED = {name: case for name, case in CASES.items() if "text" in name}
every_case = pytest.mark.parametrize("case", LABELLED.values(), ids=LABELLED)
every_condition = pytest.mark.parametrize("case", (LABELLED | CAPTIONED).values(), ids=LABELLED | CAPTIONED)
every_captioned = pytest.mark.parametrize("case", CAPTIONED.values(), ids=CAPTIONED)


def shaken(case: Case, shape: tuple[int, int, int] = SHAPE) -> Any:
    model = build(case, shape)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def given(model: Any, labels: list[int], case: Case, seed: int = 1) -> Tensor:
    images: Tensor = model.sample_given(torch.tensor(labels), torch.Generator().manual_seed(seed), **case.sampler)
    return images


@every_condition
def test_an_image_depends_on_its_own_label_and_no_other(case: Case) -> None:
    model = shaken(case)
    first, other = given(model, [0, 1, 2], case), given(model, [0, 3, 2], case)
    assert torch.equal(first[[0, 2]], other[[0, 2]])
    assert not torch.equal(first[1], other[1])


@every_condition
def test_sample_draws_its_labels_first_from_the_same_generator(case: Case) -> None:
    model = shaken(case)
    samples = model.sample(6, torch.Generator().manual_seed(3), **case.sampler)
    generator = torch.Generator().manual_seed(3)
    labels = model.draw_labels(6, generator)
    assert torch.equal(samples, model.sample_given(labels, generator, **case.sampler))


def test_labels_are_drawn_by_their_shares() -> None:
    labels = build(CASES["gan-label"], SHAPE).draw_labels(40_000, torch.Generator().manual_seed(0))
    assert labels is not None
    shares = torch.bincount(labels, minlength=4) / len(labels)
    deviation = torch.tensor([share * (1 - share) for share in CLASS_SHARES]).div(len(labels)).sqrt()
    assert ((shares - torch.tensor(CLASS_SHARES)).abs() < 4 * deviation).all()


def test_a_model_without_labels_draws_none() -> None:
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    model = build(CASES["gan"], SHAPE)
    assert model.draw_labels(5, generator) is None
    assert torch.equal(generator.get_state(), state)
    with pytest.raises(ValueError, match="trained without labels; train it with model.condition=label"):
        model.sample_given(torch.zeros(1, dtype=torch.int64), generator)  # type: ignore[operator]


@every_case
@pytest.mark.parametrize("label", [-1, 4])
def test_labels_out_of_range_are_refused(case: Case, label: int) -> None:
    with pytest.raises(ValueError, match=f"label={label}: choose from 0 to 3"):
        given(shaken(case), [0, label], case)


@pytest.mark.parametrize("labels", [torch.zeros(2), torch.zeros(2, 1, dtype=torch.int64)], ids=["float", "matrix"])
def test_labels_of_another_type_or_shape_are_refused(labels: Tensor) -> None:
    with pytest.raises(ValueError, match="are not int64 N"):
        check_labels(labels, 4)


@pytest.mark.parametrize("condition", ["label", "classifier"])
@pytest.mark.parametrize("shares", [(), (1.0,)], ids=["none", "one"])
def test_data_without_classes_are_refused(condition: str, shares: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=f"condition={condition}: the images have no labels; choose condition=none"):
        class_count(DataSpec(SHAPE, shares), condition)


@pytest.mark.parametrize("arguments", [TINY_DDPM, TINY_DDPM | LINEAR], ids=["conv", "linear"])
def test_guidance_0_is_the_conditional_model_and_the_null_label_the_unconditional_one(
    arguments: dict[str, Any],
) -> None:
    model = shaken(Case("ddpm", arguments | {"condition": "label"}))
    x, t, y = torch.randn(3, *SHAPE), torch.full((3,), 5), torch.tensor([0, 3, 1])
    network = model.denoiser.eval()
    with torch.no_grad():
        assert torch.equal(classifier_free(network, y, 4, 0.0, lambda t: True)(x, t), network(x, t, y))
        assert torch.equal(network(x, t, torch.full_like(y, 4)), network(x, t))
        assert not torch.equal(network(x, t, y), network(x, t))


@pytest.mark.parametrize("arguments", [TINY_FLOW, TINY_FLOW | LINEAR], ids=["conv", "linear"])
def test_a_new_conditional_network_is_the_unconditional_one(arguments: dict[str, Any]) -> None:
    model: Any = build(Case("flow_matching", arguments | {"condition": "label"}), SHAPE)
    x, t, y = torch.randn(3, *SHAPE), torch.rand(3), torch.tensor([0, 3, 1])
    assert torch.equal(model.velocity(x, t, y), model.velocity(x, t))


def test_guided_predictions_are_extrapolated_at_the_times_of_the_interval() -> None:
    def network(x: Tensor, t: Tensor, y: Tensor) -> Tensor:
        return x + y.view(-1, 1).float()

    x, y = torch.zeros(2, 1), torch.tensor([0, 2])
    predict = classifier_free(network, y, 4, 1.5, lambda t: bool(t[0] == 1))
    assert predict(x, torch.ones(2)).flatten().tolist() == [0 + 1.5 * (0 - 4), 2 + 1.5 * (2 - 4)]
    assert predict(x, torch.zeros(2)).flatten().tolist() == [0, 2]


def test_a_share_of_the_labels_is_dropped() -> None:
    labels = torch.arange(40_000) % 4
    kept = dropped(labels, 0.1, null=4)
    assert abs((kept == 4).float().mean().item() - 0.1) < 4 * (0.1 * 0.9 / 40_000) ** 0.5
    assert torch.equal(kept[kept != 4], labels[kept != 4])
    assert torch.equal(dropped(labels, 0.0, null=4), labels)


POINTS = {
    "gan": {"latent_dim": 8, "hidden": 128, "architecture": "linear", "r1_gamma": 0.001, "ema_decay": 0.99},
    "vae": {"latent_dim": 2, "hidden": 64, "architecture": "linear", "learning_rate": 5e-3},
    "flow_matching": TINY_FLOW | LINEAR | {"hidden": 64, "learning_rate": 5e-3},
    "ddpm": TINY_DDPM | LINEAR | {"hidden": 64, "learning_rate": 5e-3, "beta_T": 0.5},
}


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        *((name, "label") for name in POINTS if name != "gan"),
        ("ddpm", "classifier"),
        pytest.param("gan", "label", marks=pytest.mark.slow),
    ],
)
def test_labels_are_learned(name: str, condition: str, fit: Callable[..., L.Trainer]) -> None:
    """Two points, and a label for each: samples of a label are near its point."""
    centres = torch.tensor([[-0.5, 0.5], [0.5, -0.5]])
    generator = torch.Generator().manual_seed(0)
    batches = []
    for _ in range({"gan": 600, "ddpm": 300}.get(name, 200)):
        y = torch.randint(2, (64,), generator=generator)
        x = centres[y] + 0.05 * torch.randn(64, 2, generator=generator)
        batches.append((x[:, :, None, None], y))
    case = Case(name, POINTS[name] | {"condition": condition})
    model: Any = trained(case, batches, fit)
    labels = torch.arange(2).repeat(50)
    samples = model.sample_given(labels, torch.Generator().manual_seed(1)).flatten(1)
    nearest = (samples[:, None] - centres).norm(dim=2).argmin(1)
    assert (nearest == labels).float().mean() > 0.9


def trained(case: Case, batches: list[tuple[Tensor, Tensor]], fit: Callable[..., L.Trainer]) -> GenerativeModel:
    from models import MODELS

    model = MODELS[case.model](DataSpec(POINT, (0.5, 0.5)), **case.arguments)
    fit(model, batches)
    return model.eval()


def test_the_protocol_is_that_of_the_conditional_families() -> None:
    assert all(isinstance(build(case, SHAPE), SamplesGiven) for case in (LABELLED | CAPTIONED).values())
    assert all(isinstance(build(case, SHAPE), SamplesCaptioned) for case in CAPTIONED.values())


@every_captioned
def test_sample_draws_its_captions_first_and_they_describe_its_labels(case: Case) -> None:
    model, generator = shaken(case, (3, 8, 8)), torch.Generator()
    tokens = model.draw_captions(40, generator.manual_seed(3))
    samples = model.sample_captioned(tokens, generator, **case.sampler)
    assert torch.equal(model.sample(40, generator.manual_seed(3), **case.sampler), samples)
    assert torch.equal(label_of(read(tokens)[0]), model.draw_labels(40, generator.manual_seed(3)))


@every_captioned
def test_an_image_depends_on_its_own_caption_and_no_other(case: Case) -> None:
    model, texts = shaken(case), ("a red one", "a bold red one", "a crimson 7")

    def drawn(*numbers: int) -> Tensor:
        tokens = torch.stack([tokens_of(texts[k], 1) for k in numbers])
        images: Tensor = model.sample_captioned(tokens, torch.Generator().manual_seed(1), **case.sampler)
        return images

    first, other = drawn(0, 1, 2), drawn(0, 2, 2)
    torch.testing.assert_close(first[[0, 2]], other[[0, 2]])
    assert not torch.allclose(first[1], other[1])


@every_captioned
def test_without_a_caption_the_model_is_the_unconditional_one(case: Case) -> None:
    model = shaken(case).eval()
    x, t, tokens = torch.randn(2, *SHAPE), torch.full((2,), 5), torch.zeros(2, 6, dtype=torch.int64)
    assert torch.equal(model.denoiser(x, t, model.text(tokens)), model.denoiser(x, t))
    assert not torch.equal(model.denoiser(x, t, model.text(tokens_of("a red one", 1)[None])), model.denoiser(x, t))


def test_training_captions_say_what_the_images_show_but_of_no_held_out_combination() -> None:
    model: Any = build(Case("ddpm", TINY_DDPM | {"condition": "text", "label_dropout": 0.25}, digits=True), (3, 9, 9))
    x, y = torch.rand(4000, 3, 9, 9) * 2 - 1, torch.randint(1000, (4000,))
    tokens = model.training_captions(x, y)
    empty = (tokens == 0).all(1)
    held_out = held_out_combinations(1000)[y]
    assert empty[held_out].all()
    assert abs(empty[~held_out].float().mean().item() - 0.25) < 0.03
    said, held_out_order = read(tokens[~empty])
    assert torch.equal(label_of(said), y[~empty])
    assert not held_out_order.any()
    measured = thirds(strokes(x), digits_of(y, 3))[~empty]
    spoken = said[..., 1:] != UNSAID
    assert torch.equal(said[..., 1:][spoken], measured[spoken])


def test_captions_need_data_with_a_digit_in_each_channel() -> None:
    with pytest.raises(ValueError, match="condition=text: captions are of a digit in each channel"):
        build(Case("ddpm", TINY_DDPM | {"condition": "text"}), SHAPE)


@pytest.mark.parametrize(("condition", "passes"), [("label", 6), ("classifier", 9)])
def test_a_snapshot_guides_a_model_of_labels_and_is_no_guide_where_it_is_the_model(condition: str, passes: int) -> None:
    case = Case("ddpm", TINY_DDPM | {"condition": condition, "snapshot": 0.5}, {"steps": 3, "method": "ddim"})
    model = shaken(case)
    images: list[int] = []
    for network in model.networks:
        network.register_forward_hook(lambda network, inputs, output: images.append(len(inputs[0])))
    guided = case.sampler | {"guidance": 2.0}
    model.check_sampler(**guided)
    apart = model.sample_given(torch.tensor([0, 1]), torch.Generator().manual_seed(1), **guided)
    assert sum(images) / 2 == model.passes(**guided) == passes
    plain = given(model, [0, 1], case)
    assert not torch.allclose(apart, plain)
    model.keep_snapshot(model.snapshot_weights())
    same = model.sample_given(torch.tensor([0, 1]), torch.Generator().manual_seed(1), **guided)
    torch.testing.assert_close(same, plain)
