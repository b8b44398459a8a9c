"""Parameter-free mathematics of flows: the path between data and noise, solvers, maps and the likelihood.

Time runs as in diffusion: z_0 is the data, z_1 standard normal noise, z_t = (1 - t) x + t eps, and the velocity dz / dt
points to the noise. Lipman et al. 2022, Flow Matching (arXiv:2210.02747), and Liu et al. 2022, Rectified Flow
(arXiv:2209.03003), count the other way.
"""
