"""Records on disk: their schema, their places, their identity and their selection."""
