"""Pictures of a model and of its samples."""
