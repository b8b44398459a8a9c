"""Run, evaluate and compare generative models. The only package that imports both models and datamodules."""

from bench.runtime.siblings import import_siblings_first

import_siblings_first()
