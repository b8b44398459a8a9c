"""Images to features, and the reference in feature space."""
