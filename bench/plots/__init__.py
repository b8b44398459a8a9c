"""What is drawn of a model or of its samples."""
