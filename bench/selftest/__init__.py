"""Is the evaluator right here? Cases with known answers, expected beside measured."""

from bench.selftest.report import run

__all__ = ["run"]
