"""Runs, judges and compares generative models. The only package that imports both models and datamodules."""
