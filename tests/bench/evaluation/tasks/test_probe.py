"""Probes on Gaussians, under the transformations that must not matter, and against scikit-learn and enumeration."""

import logging
import math
from collections.abc import Callable

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from bench.evaluation.errors import EvaluationError
from bench.evaluation.tasks import probe as module
from bench.evaluation.tasks.probe import BASELINES, baseline_features, encoded_features, probe_accuracies

Images = Callable[..., Tensor]
Split = tuple[Tensor, Tensor, Tensor, Tensor]


def gaussians(distance: float, seed: int = 0, n: int = 300, dim: int = 8, classes: int = 3) -> Split:
    """Training and test features with labels: unit Gaussians, each `distance` along an axis of its own."""
    g = torch.Generator().manual_seed(seed)
    labels = torch.arange(2 * n) % classes
    x = torch.randn(2 * n, dim, generator=g) + distance * torch.eye(dim)[labels]
    return x[:n], labels[:n], x[n:], labels[n:]


def moved(split: Split, change: Callable[[Tensor], Tensor]) -> Split:
    train, train_labels, test, test_labels = split
    return change(train), train_labels, change(test), test_labels


def test_separable_classes_are_read_without_error() -> None:
    assert probe_accuracies(*gaussians(20)) == {"linear_probe": 1.0, "knn": 1.0, "features": 8}


def test_two_gaussians_are_read_as_well_as_bayes_could() -> None:
    found = probe_accuracies(*gaussians(2 / math.sqrt(2), n=4000, dim=2, classes=2))
    bayes = 0.5 * (1 + math.erf(1 / math.sqrt(2)))  # means two deviations apart: Phi(1) = 0.841
    assert found["linear_probe"] == pytest.approx(bayes, abs=0.02)
    assert found["knn"] < found["linear_probe"]


def test_shuffled_labels_are_read_at_chance() -> None:
    train, labels, test, asked = gaussians(20, n=2000, classes=4)
    shuffled = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))]
    found = probe_accuracies(train, shuffled, test, asked)
    chance = 3.5 * math.sqrt(0.25 * 0.75 / 2000)  # about three and a half deviations
    assert found["knn"] == pytest.approx(0.25, abs=chance)
    # clusters decide what a linear probe says, so ask one that has none to read
    blind = probe_accuracies(*gaussians(0, n=2000, classes=4))
    assert blind["linear_probe"] == pytest.approx(0.25, abs=chance)


@pytest.mark.parametrize("penalty", [module.PENALTY, 0.1])
def test_the_linear_probe_is_the_minimum_of_the_loss_it_states(penalty: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENALTY", penalty)
    train, labels, test, asked = gaussians(1.5, n=2000, dim=50)
    train, labels = train[:150], labels[:150]
    x, y = ((z - train.mean(0)).double() / train.std(0, correction=0) for z in (train, test))

    weight, bias = (torch.zeros(shape, dtype=torch.float64, requires_grad=True) for shape in ((3, 50), (3,)))
    minimiser = torch.optim.LBFGS([weight, bias], max_iter=2000, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        minimiser.zero_grad()
        fit = torch.nn.functional.cross_entropy(x @ weight.T + bias, labels)
        value = fit + penalty / 2 * weight.square().sum()
        value.backward()
        return value

    minimiser.step(loss)
    accuracy = float(((y @ weight.T + bias).argmax(1) == asked).double().mean())
    assert probe_accuracies(train, labels, test, asked)["linear_probe"] == pytest.approx(accuracy, abs=0.006)
    assert (accuracy > 0.6) == (penalty == 0.1)  # the penalty does decide it here


def test_the_linear_probe_does_not_see_scales_and_offsets() -> None:
    split = gaussians(1.5)
    scale, offset = 2.0 ** torch.arange(-4, 4), torch.arange(8.0)
    found, again = probe_accuracies(*split), probe_accuracies(*moved(split, lambda x: x * scale + offset))
    assert found["linear_probe"] == again["linear_probe"] < 1
    assert found["knn"] != again["knn"]  # neighbours do see them


def test_a_feature_that_never_changes_is_harmless() -> None:
    split = gaussians(1.5)
    widened = moved(split, lambda x: torch.cat([x, torch.full((len(x), 1), 0.1)], dim=1))
    assert probe_accuracies(*widened) == probe_accuracies(*split) | {"features": 9}


def test_neighbours_are_scikit_learns_and_those_of_all_distances() -> None:
    train, labels, test, asked = gaussians(1.5)
    found = probe_accuracies(train, labels, test, asked)["knn"]
    assert found == KNeighborsClassifier(n_neighbors=5).fit(train, labels).score(test, asked)
    nearest = torch.cdist(test.double(), train.double()).topk(5, largest=False).indices
    votes = torch.nn.functional.one_hot(labels[nearest], 3).sum(1)
    assert found == float((votes.argmax(1) == asked).double().mean())
    assert 0.5 < found < 1


def test_equal_inputs_give_equal_figures(images: Images) -> None:
    train, test = baseline_features("PCA", images(200, seed=0), images(100, seed=1))
    labels = (images(300, seed=2).flatten(1).sum(1) % 3).long()
    first, again = (probe_accuracies(train, labels[:200], test, labels[200:]) for _ in range(2))
    assert first == again
    assert torch.equal(train, baseline_features("PCA", images(200, seed=0), images(100, seed=1))[0])


def test_all_principal_components_are_a_rotation_and_64_keep_most(images: Images) -> None:
    train, test = images(150, seed=0)[..., 10:17, 10:17], images(150, seed=1)[..., 10:17, 10:17]  # 49 pixels
    labels = (train.flatten(1).float().mean(1) > 100).long()
    asked = (test.flatten(1).float().mean(1) > 100).long()
    (raw, raw_test), (pca, pca_test) = (baseline_features(kind, train, test) for kind in BASELINES)
    assert raw.shape == pca.shape == (150, 49)
    torch.testing.assert_close(torch.cdist(raw_test, raw), torch.cdist(pca_test, pca), rtol=1e-3, atol=1e-3)
    assert (
        probe_accuracies(pca, labels, pca_test, asked)["knn"]
        == probe_accuracies(raw, labels, raw_test, asked)["knn"]
        > 0.9
    )
    wide, _ = baseline_features("PCA", images(150, seed=0), images(10, seed=1))
    assert wide.shape == (150, 64)
    few, _ = baseline_features("PCA", images(20, seed=0), images(10, seed=1))
    assert few.shape == (20, 20)


def test_components_are_fitted_to_the_training_images_alone(images: Images) -> None:
    train = images(100, seed=0)
    first, _ = baseline_features("PCA", train, images(30, seed=1))
    other, constant = baseline_features("PCA", train, torch.full((30, 1, 28, 28), 7, dtype=torch.uint8))
    assert torch.equal(first, other)
    torch.testing.assert_close(constant, constant[:1].expand(30, -1))
    variance = first.var(0)
    assert (variance[:-1] >= variance[1:]).all()
    torch.testing.assert_close(first.mean(0), torch.zeros(64), atol=1e-4, rtol=0)


def test_features_are_the_encoders_in_order(images: Images) -> None:
    x = images(23, seed=0)
    calls: list[tuple[str, int, int]] = []
    found = encoded_features(lambda x: x.flatten(1), x, chunk=10, progress=lambda *args: calls.append(args))
    assert torch.equal(found, baseline_features("raw pixels", x, x)[0])
    assert calls == [("encode", done, 23) for done in (10, 20, 23)]


def test_images_without_labels_leave_the_cell_empty() -> None:
    train, labels, test, asked = gaussians(1.5)
    assert probe_accuracies(train, labels * 0, test, asked * 0) == {}


def test_a_probe_that_stops_early_says_so(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    with caplog.at_level(logging.WARNING):
        probe_accuracies(*gaussians(1.5))
        assert caplog.text == ""
        monkeypatch.setattr(module, "ITERATIONS", 2)
        probe_accuracies(*gaussians(1.5))
    assert "the linear probe stopped at 2 iterations" in caplog.text


def grow(x: Tensor) -> Tensor:
    return torch.zeros(len(x), len(x))


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (lambda x: x, r"^encode returned torch.float32 of shape \(2, 1, 28, 28\), which is not float32 of shape"),
        (lambda x: x.flatten(1)[:1], r"^encode returned torch.float32 of shape \(1, 784\).* of shape \(2, 784\)"),
        (lambda x: x.sum((1, 2, 3)), r"^encode returned torch.float32 of shape \(2,\)"),
        (lambda x: x.sum(), r"^encode returned torch.float32 of shape \(\)"),
        (lambda x: x.flatten(1)[:, :0], r"^encode returned torch.float32 of shape \(2, 0\)"),
        (lambda x: x.flatten(1) / 0, "^encode returned NaN or infinity for 2 of 2 images"),
        (lambda x: x.flatten(1).int(), "^encode returned torch.int32"),
        (grow, r"^encode returned torch.float32 of shape \(1, 1\).* of shape \(1, 2\)"),
    ],
)
def test_nothing_wrong_becomes_a_feature(encode: Callable[[Tensor], Tensor], message: str, images: Images) -> None:
    with pytest.raises(EvaluationError, match=message):
        encoded_features(encode, images(3, seed=0), chunk=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, b, c, d: (a, b.int(), c, d), "training labels of type torch.int32"),
        (lambda a, b, c, d: (a, b, c, d[:-1]), r"test labels of type torch.int64 and shape \(299,\) are not"),
        (lambda a, b, c, d: (a, b, c[:, :7], d), "the probe was fitted to 8 features an image, but is given 7"),
        (lambda a, b, c, d: (a / 0, b, c, d), r"training features of shape \(300, 8\) are not finite"),
        (lambda a, b, c, d: (a[:4], b[:4], c, d), "4 training images are too few for 5 neighbours"),
    ],
)
def test_what_makes_no_question_is_refused(change: Callable[..., Split], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        probe_accuracies(*change(*gaussians(1.5)))


def test_another_baseline_is_refused(images: Images) -> None:
    with pytest.raises(EvaluationError, match=r"baseline=pca is unknown.*the choices are PCA, raw pixels"):
        baseline_features("pca", images(9, seed=0), images(9, seed=1))
