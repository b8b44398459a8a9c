"""Send runs and tables to W&B."""
