"""Judges samples: sees a callable that returns images, and never the model behind it."""

from bench.evaluation.abilities import bits, denoising, image_quality, reconstruction
from bench.evaluation.ability_protocol import AbilityProtocol
from bench.evaluation.errors import EvaluationError
from bench.evaluation.extractors import check_extractor, known_extractors, load_extractor
from bench.evaluation.features import Extractor, Moments, Progress
from bench.evaluation.harness import Evaluation, evaluate, evaluate_images, generate, quantise
from bench.evaluation.metrics import METRICS, Metric
from bench.evaluation.pretrained import save_classifier
from bench.evaluation.probe import BASELINES, baseline_features, encoded_features, probe_accuracies
from bench.evaluation.protocol import Protocol, difference
from bench.evaluation.reference import Reference, reference, subset
from bench.evaluation.timing import Timing, hardware, time_sampling

__all__ = [
    "BASELINES",
    "METRICS",
    "AbilityProtocol",
    "Evaluation",
    "EvaluationError",
    "Extractor",
    "Metric",
    "Moments",
    "Progress",
    "Protocol",
    "Reference",
    "Timing",
    "baseline_features",
    "bits",
    "check_extractor",
    "denoising",
    "difference",
    "encoded_features",
    "evaluate",
    "evaluate_images",
    "generate",
    "hardware",
    "image_quality",
    "known_extractors",
    "load_extractor",
    "probe_accuracies",
    "quantise",
    "reconstruction",
    "reference",
    "save_classifier",
    "subset",
    "time_sampling",
]
