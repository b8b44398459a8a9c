"""Sets of images as files: one module a format, each with a reader and a writer that invert each other."""
