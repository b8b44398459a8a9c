"""Compute figures of images. The package sees a callable that returns images, never the model behind it."""
