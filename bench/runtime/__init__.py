"""Services of any process: console, files, locks, ranks, provenance, allocator."""
