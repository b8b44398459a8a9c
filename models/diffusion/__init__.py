"""Parameter-free mathematics of diffusion: the process and its samplers."""
