"""The schema of a configuration, and how it is loaded and resolved."""
