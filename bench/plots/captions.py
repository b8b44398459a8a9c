"""The captions, and alternative texts, of the pictures of a model, by the picture's name."""

HELD_OUT = 2000  # images that are looked at, at most
STEPS = 100  # of the ancestral sampler's trajectory, where T allows

CAPTIONS = {
    "by-label": (
        "Samples of given labels, a column each, by the sampler that represents the model; of many labels, ten."
    ),
    "reconstructions": (
        "Held-out images in the odd rows, and beneath each of them what the model makes of it by compression and back."
    ),
    "latent-plane": (
        "Left, the images decoded from a 20 × 20 grid over the two latent dimensions Z1 and Z2, placed at the 1% to "
        "99% quantiles of the held-out images' encodings; right, these encodings, coloured by label if there are any."
    ),
    "traversals": (
        "Images decoded from one held-out image's encoding, in each row with another latent dimension swept from three "
        "standard deviations below its mean over the held-out images to three above, the most varied dimension on top."
    ),
    "interpolations": (
        "Images decoded at nine even steps on the straight line between the encodings of two held-out images, which "
        "stand themselves at both ends of each row."
    ),
    "forward-chain": (
        "Held-out images that turn into noise from left to right, at even times t of the forward process."
    ),
    "film-strip": (
        f"Samples that emerge from noise from left to right, at even times t of the ancestral sampler's {STEPS} steps, "
        "or of its T steps where T is smaller."
    ),
    "denoising": (
        "Held-out images in the top row, and beneath them, for each level of noise, the same images corrupted and what "
        "the model makes of these."
    ),
    "steps": (
        "FID, recall and coverage against the network evaluations of an image, a line for each sampler of the same "
        "weights; bars are 95% intervals over samples."
    ),
    "guidance": (
        "Class accuracy, FID and coverage against the guidance by labels w, a line for each sampler of the same "
        "weights; bars are 95% intervals over samples."
    ),
    "by-guidance": (
        "Samples of each label, a column each, from the same noise at rising guidance by labels w from top to bottom."
    ),
    "codebook-usage": (
        f"Share of each code of the codebook over up to {HELD_OUT:,} held-out images, the most frequent code first, on "
        "a logarithmic scale."
    ),
}
