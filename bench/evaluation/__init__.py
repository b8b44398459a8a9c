"""Judges samples: sees a callable that returns images, and never the model behind it."""

from bench.evaluation.errors import EvaluationError
from bench.evaluation.extractors import check_extractor, known_extractors, load_extractor
from bench.evaluation.features import Extractor, Moments, Progress
from bench.evaluation.harness import Evaluation, evaluate, evaluate_images, generate, quantise
from bench.evaluation.metrics import METRICS, Metric
from bench.evaluation.pretrained import save_classifier
from bench.evaluation.protocol import Protocol, difference
from bench.evaluation.reference import Reference, reference
from bench.evaluation.timing import Timing, hardware, time_sampling

__all__ = [
    "METRICS",
    "Evaluation",
    "EvaluationError",
    "Extractor",
    "Metric",
    "Moments",
    "Progress",
    "Protocol",
    "Reference",
    "Timing",
    "check_extractor",
    "difference",
    "evaluate",
    "evaluate_images",
    "generate",
    "hardware",
    "known_extractors",
    "load_extractor",
    "quantise",
    "reference",
    "save_classifier",
    "time_sampling",
]
