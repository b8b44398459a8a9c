"""Services of any process: console, files, locks, ranks, errors, signals, provenance, allocator."""
