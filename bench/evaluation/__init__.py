"""What is a figure, and how is it computed: sees a callable that returns images, never the model behind it."""
