"""Fit a model, stop it cleanly and resume it."""
