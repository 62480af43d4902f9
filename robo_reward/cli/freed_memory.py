"""What the C library does with memory that training frees: it keeps it, instead of asking for it anew in every step."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT_BYTES = 1 << 30
_LARGEST_BYTES = 32 << 20  # what glibc takes at most


def keep_freed_memory() -> bool:
    """Have glibc keep up to 1 GiB of freed memory, blocks of up to 32 MiB among it, for the rest of the process.

    By default it gives a convolution's buffers back to the system after each step, which then fills them with zeros
    page by page: a third of the time of training a small network on a CPU (`benchmarks/own_encoder.py`). Results are
    the same to the bit.

    Returns:
        Whether it was told so; other C libraries have no such setting, and are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_BYTES)) and bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
