"""Runs, judges and compares generative models. The only package that imports both models and datamodules."""

from bench.runtime.siblings import come_first

come_first()
