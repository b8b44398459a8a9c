"""Probe an encoding: the accuracy of a linear classifier and of nearest neighbours on it.

scikit-learn is imported only when it is used: it takes a second.
"""

import logging
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError, unknown
from bench.evaluation.features.extractor import Progress, check_images, full_float32
from bench.evaluation.tasks.image_tasks import check_output, chunks

logger = logging.getLogger(__name__)

BASELINES = ("raw pixels", "PCA")  # what features must beat
COMPONENTS = 64  # of the PCA, at most
NEIGHBOURS = 5
PENALTY = 1e-3  # lambda of the linear probe: mean cross-entropy + lambda / 2 |W|^2, the bias is free
TOLERANCE = 5e-4  # of the loss's largest derivative, where L-BFGS stops
ITERATIONS = 200  # of L-BFGS, at most


@torch.no_grad()
@full_float32()
def encoded_features(
    encode: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    chunk: int,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Tensor:
    """Return `encode(x)` of uint8 N x C x H x W, float32 N x D on the CPU, under the rules of `image_tasks`."""
    parts: list[Tensor] = []
    for _, x in chunks(images, chunk, device, "encode", progress):
        z = encode(x)
        width = parts[0].shape[1:] if parts else z.shape[-1:]
        parts.append(check_output("encode", z, (len(x), *width)))
    return torch.cat(parts)


def baseline_features(kind: str, train_images: Tensor, test_images: Tensor) -> tuple[Tensor, Tensor]:
    """Return (train, test) features without a model, float32 N x D, of uint8 images; `kind` is one of `BASELINES`.

    "raw pixels": in [-1, 1]. "PCA": their first min(64, pixels, training images) principal components, not whitened,
    fitted to the training images alone. Raises EvaluationError for another kind.
    """
    if kind not in BASELINES:
        raise unknown("baseline", kind, BASELINES)
    for images in (train_images, test_images):
        check_images(images)
    train, test = (images.cpu().to(torch.float32).flatten(1) / 127.5 - 1 for images in (train_images, test_images))
    if kind == "raw pixels":
        return train, test
    from sklearn.decomposition import PCA

    # scikit-learn's solver for large images is randomised
    pca = PCA(min(COMPONENTS, *train.shape), random_state=0).fit(train.numpy())
    return tuple(torch.from_numpy(pca.transform(x.numpy())) for x in (train, test))  # type: ignore[return-value]


def probe_accuracies(
    train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor
) -> dict[str, float | int]:
    """Compute {"linear_probe", "knn", "features"}: the accuracies of two classifiers on `test_labels`, and D.

    Features are float32 N x D, labels int64 N, as `encoded_features` and the data give them. {} where the training
    labels are all one class, as those of unlabelled images are. Equal inputs give equal figures.

    linear_probe: multinomial logistic regression on features standardised by the training ones, with an L2 penalty of
    1e-3 / 2 on the weights beside the mean cross-entropy, by L-BFGS in float64 until no derivative exceeds 5e-4; 200
    iterations at most, and a warning is logged where they do not suffice. knn: the majority of the 5 nearest training
    features by Euclidean distance, not standardised. 2.5 s of one core for 10,000 and 2,000 images of 784 pixels.
    """
    check_labelled("training", train_features, train_labels)
    check_labelled("test", test_features, test_labels)
    width, test_width = train_features.shape[1], test_features.shape[1]
    if width != test_width:
        raise EvaluationError(f"the probe was fitted to {width} features an image, but is given {test_width}.")
    if len(train_labels.unique()) < 2:
        return {}
    if len(train_labels) < NEIGHBOURS:
        raise EvaluationError(f"{len(train_labels)} training images are too few for {NEIGHBOURS} neighbours of each.")
    return {
        "linear_probe": linear_accuracy(train_features, train_labels, test_features, test_labels),
        "knn": neighbour_accuracy(train_features, train_labels, test_features, test_labels),
        "features": width,
    }


def linear_accuracy(train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor) -> float:
    """Compute the `linear_probe` of `probe_accuracies`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # scikit-learn multiplies the sum of the images' losses by C, and the penalty |W|^2 / 2 by one
    model = LogisticRegression(C=1 / (PENALTY * len(train_labels)), tol=TOLERANCE, max_iter=ITERATIONS)
    pipeline = make_pipeline(StandardScaler(), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # logged below
        pipeline.fit(train_features.double().numpy(), train_labels.numpy())
    if model.n_iter_.max() >= ITERATIONS:
        logger.warning("the linear probe stopped at %d iterations before it had converged", ITERATIONS)
    return float(pipeline.score(test_features.double().numpy(), test_labels.numpy()))


def neighbour_accuracy(
    train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor
) -> float:
    """Compute the `knn` of `probe_accuracies`."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(NEIGHBOURS, algorithm="brute")
    model.fit(train_features.double().numpy(), train_labels.numpy())
    return float(model.score(test_features.double().numpy(), test_labels.numpy()))


def check_labelled(split: str, features: Tensor, labels: Tensor) -> None:
    """Raise EvaluationError unless `features` is finite float N x D, N and D above 0, and `labels` int64 N."""
    if features.dim() != 2 or features.numel() == 0 or not features.isfinite().all():
        raise EvaluationError(f"the probe's {split} features of shape {tuple(features.shape)} are not finite N x D.")
    if labels.dtype != torch.int64 or labels.shape != features.shape[:1]:
        raise EvaluationError(
            f"the probe's {split} labels of type {labels.dtype} and shape {tuple(labels.shape)} are not int64 and one "
            f"for each of {len(features)} images."
        )
