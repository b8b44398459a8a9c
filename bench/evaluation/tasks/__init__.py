"""The tasks beside sampling: reconstruction, probing, likelihood, denoising."""
