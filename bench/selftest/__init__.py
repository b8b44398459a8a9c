"""Test the evaluator on this machine with cases of known answers."""

from bench.selftest.report import run

__all__ = ["run"]
