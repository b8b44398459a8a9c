"""Judges samples: sees a callable that returns images, and never the model behind it."""

from bench.evaluation.abilities import bits, denoising, image_quality, reconstruction
from bench.evaluation.ability_protocol import AbilityProtocol
from bench.evaluation.copies import TrainingPixels, training_pixels
from bench.evaluation.errors import EvaluationError
from bench.evaluation.extractors import check_extractor, known_extractors, load_extractor
from bench.evaluation.feature_sets import FeatureSets, Modes
from bench.evaluation.features import Extractor, Moments, Progress
from bench.evaluation.harness import check_protocol, evaluate, evaluate_images
from bench.evaluation.intervals import Estimate, groups, half_width
from bench.evaluation.keys import key, seeded
from bench.evaluation.metrics import METRICS, Metric
from bench.evaluation.modes import by_centres, by_classifier
from bench.evaluation.png_folder import read_images
from bench.evaluation.pretrained import save_classifier
from bench.evaluation.probe import BASELINES, baseline_features, encoded_features, probe_accuracies
from bench.evaluation.protocol import Protocol, difference
from bench.evaluation.reference import HeldOut, Reference, held_out, reference, subset
from bench.evaluation.samples import generate, quantise
from bench.evaluation.scoring import Against, Closest, Evaluation
from bench.evaluation.timing import Timing, hardware, peak_memory, reset_peak_memory, time_sampling

__all__ = [
    "BASELINES",
    "METRICS",
    "AbilityProtocol",
    "Against",
    "Closest",
    "Estimate",
    "Evaluation",
    "EvaluationError",
    "Extractor",
    "FeatureSets",
    "HeldOut",
    "Metric",
    "Modes",
    "Moments",
    "Progress",
    "Protocol",
    "Reference",
    "Timing",
    "TrainingPixels",
    "baseline_features",
    "bits",
    "by_centres",
    "by_classifier",
    "check_extractor",
    "check_protocol",
    "denoising",
    "difference",
    "encoded_features",
    "evaluate",
    "evaluate_images",
    "generate",
    "groups",
    "half_width",
    "hardware",
    "held_out",
    "image_quality",
    "key",
    "known_extractors",
    "load_extractor",
    "peak_memory",
    "probe_accuracies",
    "quantise",
    "read_images",
    "reconstruction",
    "reference",
    "reset_peak_memory",
    "save_classifier",
    "seeded",
    "subset",
    "time_sampling",
    "training_pixels",
]
