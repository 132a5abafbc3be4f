"""How a process gets and returns memory."""

import ctypes
import platform


def keep_freed_memory() -> None:
    """Let this process keep memory that it frees, for what it allocates next.

    By default glibc returns large blocks to the system and faults them in again at the next use. On a virtual machine
    that took a third of a training step, and more than half of the time to add two chunks of weights.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    # Numbers from glibc's malloc.h; mallopt returns 1 if it took the value.
    m_trim_threshold, m_mmap_max = -1, -4
    for option, value in ((m_mmap_max, 0), (m_trim_threshold, -1)):
        if libc.mallopt(option, value) != 1:
            raise RuntimeError(f"mallopt({option}, {value}) failed")
