"""What an encoding is good for: how well a linear classifier and the nearest neighbours read labels from it.

scikit-learn is imported only when it is used: it takes a second.
"""

import logging
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from bench.evaluation.errors import EvaluationError, unknown
from bench.evaluation.features.extractor import Progress, check_images, full_float32
from bench.evaluation.tasks.image_tasks import checked, chunks

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
    """uint8 N x C x H x W -> what `encode(x)` returns, float32 N x D on the CPU, under the rules of `abilities`."""
    found: list[Tensor] = []
    for _, x in chunks(images, chunk, device, "encode", progress):
        z = encode(x)
        width = found[0].shape[1:] if found else z.shape[-1:]
        found.append(checked("encode", z, (len(x), *width)))
    return torch.cat(found)


def baseline_features(kind: str, train_images: Tensor, test_images: Tensor) -> tuple[Tensor, Tensor]:
    """(train, test) features without a model, float32 N x D, from uint8 images; `kind` is one of `BASELINES`.

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

    # the seed is of the randomised solver that scikit-learn takes for large images
    pca = PCA(min(COMPONENTS, *train.shape), random_state=0).fit(train.numpy())
    return tuple(torch.from_numpy(pca.transform(x.numpy())) for x in (train, test))  # type: ignore[return-value]


def probe_accuracies(
    train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor
) -> dict[str, float | int]:
    """{"linear_probe", "knn", "features"}: the shares of `test_labels` that two readers of features get right, and D.

    Features are float32 N x D, labels int64 N, as `encoded_features` and the data give them. {} where the training
    labels are all one class, as those of unlabelled images are. Equal inputs give equal figures.

    linear_probe: multinomial logistic regression on features standardised by the training ones, with an L2 penalty of
    1e-3 / 2 on the weights beside the mean cross-entropy, by L-BFGS in float64 until no derivative exceeds 5e-4; 200
    iterations at most, and a warning is logged where they do not suffice. knn: the majority of the 5 nearest training
    features by Euclidean distance, not standardised. 2.5 s of one core for 10,000 and 2,000 images of 784 pixels.
    """
    check_labelled("training", train_features, train_labels)
    check_labelled("test", test_features, test_labels)
    width, asked = train_features.shape[1], test_features.shape[1]
    if width != asked:
        raise EvaluationError(f"the probe was fitted to {width} features an image, but is given {asked}.")
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
    """The `linear_probe` of `probe_accuracies`."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # scikit-learn multiplies the sum of the images' losses by C, and the penalty |W|^2 / 2 by one
    model = LogisticRegression(C=1 / (PENALTY * len(train_labels)), tol=TOLERANCE, max_iter=ITERATIONS)
    pipeline = make_pipeline(StandardScaler(), model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below
        pipeline.fit(train_features.double().numpy(), train_labels.numpy())
    if model.n_iter_.max() >= ITERATIONS:
        logger.warning("the linear probe stopped at %d iterations before it had converged", ITERATIONS)
    return float(pipeline.score(test_features.double().numpy(), test_labels.numpy()))


def neighbour_accuracy(
    train_features: Tensor, train_labels: Tensor, test_features: Tensor, test_labels: Tensor
) -> float:
    """The `knn` of `probe_accuracies`."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(NEIGHBOURS, algorithm="brute")
    model.fit(train_features.double().numpy(), train_labels.numpy())
    return float(model.score(test_features.double().numpy(), test_labels.numpy()))


def check_labelled(split: str, found: Tensor, labels: Tensor) -> None:
    """Raises EvaluationError unless `found` is finite float N x D, N and D above 0, and `labels` int64 N."""
    if found.dim() != 2 or found.numel() == 0 or not found.isfinite().all():
        raise EvaluationError(f"the probe's {split} features of shape {tuple(found.shape)} are not finite N x D.")
    if labels.dtype != torch.int64 or labels.shape != found.shape[:1]:
        raise EvaluationError(
            f"the probe's {split} labels of type {labels.dtype} and shape {tuple(labels.shape)} are not int64 and one "
            f"for each of {len(found)} images."
        )
