"""What the C library does with memory that was given back."""

import contextlib
import ctypes

# of mallopt(3), in glibc's malloc.h
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def keep_freed() -> None:
    """Let this process use its freed memory again instead of handing it back; does nothing but with glibc.

    By default glibc returns every large tensor to the kernel when it is freed, so that each batch's activations are
    new pages, to be filled with zeros one by one: up to a quarter of a training step on CPUs. The peak stays as it is.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
