"""What W&B gets."""
