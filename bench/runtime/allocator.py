"""Tune how the C library reuses freed memory."""

import contextlib
import ctypes

# Parameters of mallopt(3), from glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE = 2**25  # bytes; the most that glibc itself would raise its threshold to


def reuse_freed_memory() -> None:
    """Make this process reuse its freed memory instead of returning it to the kernel; a no-op without glibc.

    By default glibc returns large tensors to the kernel when they are freed, so each batch's activations are new pages,
    which the kernel fills with zeros one by one: up to a quarter of a training step on CPUs. Tensors over LARGE are
    still returned immediately, because the holes that they leave are hard to fill.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGE)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
