"""A package, so that `tests.bench.records` is this one and not another distribution's `tests`."""
