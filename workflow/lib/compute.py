"""How a job uses the machine it runs on. Only scripts that compute with torch import this module."""

import ctypes
import os
import platform
from typing import Any

import torch

from workflow.lib.leases import lease_gpus


def prepare_job(snakemake: Any) -> None:
    """Get a job ready to compute, before it does anything else: lease its GPUs, and prepare torch.

    Raises what ``lease_gpus`` raises.
    """
    lease_gpus(snakemake.resources.get("gpu", 0))
    prepare_torch(snakemake.threads)


def prepare_torch(threads: int) -> None:
    """Let torch and the tokenizers use ``threads`` CPU threads, so that jobs side by side do not fight over cores.

    For processes that a job starts, which see the GPUs that it has leased; a job itself calls ``prepare_job``.

    With glibc, memory that torch frees is also kept in the process. By default glibc returns large blocks to the system
    and faults them in anew at every step, which took a third of a training step's time on a virtual machine.
    """
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        # Numbers from glibc's malloc.h; mallopt returns 1 if it took the value.
        m_trim_threshold, m_mmap_max = -1, -4
        for option, value in ((m_mmap_max, 0), (m_trim_threshold, -1)):
            if libc.mallopt(option, value) != 1:
                raise RuntimeError(f"mallopt({option}, {value}) failed")
