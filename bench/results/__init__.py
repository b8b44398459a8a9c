"""What is on disk, and which of it belongs together."""
