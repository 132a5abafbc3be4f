"""Preparing a job to run a study's own code."""

import os

from lm_interpolation.jobs.leases import lease_gpus


def prepare_own(threads: int, gpus: int) -> None:
    """Lease ``gpus`` GPUs, and limit the libraries that the code uses to these GPUs and to ``threads`` threads.

    Call it before any code of the study runs. Raises what ``lease_gpus`` raises.
    """
    if gpus:
        lease_gpus(gpus)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
