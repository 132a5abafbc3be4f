"""The cost of generation in weight space and in logit space: time and peak memory, each in a process of its own.

For the comparison of Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092), section 4.4 and Fig. 6: a merged model
costs as much as one model, an ensemble (DExperts) as much as all of its models. The parent process needs no torch.
"""

import itertools
import multiprocessing
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pandas as pd

from lm_interpolation.jobs.runtime import Progress, UserError, atomic_path, error_prefix
from lm_interpolation.points.algebra import Point

COST_COLUMNS = [
    "space",
    "point",
    "repeat",
    "texts",
    "tokens",
    "load_seconds",
    "seconds",
    "seconds_per_1000_tokens",
    "peak_memory_mb",
]
"""One row per measurement; see ``measure_cost``."""


@dataclass(frozen=True)
class _Job:
    """One measurement, of the merged ``checkpoint`` or, if that is None, of the ensemble of ``models``."""

    point: Point
    checkpoint: Path | None
    models: Mapping[str, Path]
    nucleus: str | None
    prompts: pd.DataFrame
    sampling: Mapping[str, Any]
    batch_size: int
    device: str
    threads: int
    precision: str

    @property
    def space(self) -> str:
        return "logits" if self.checkpoint is None else "weights"


def measure_cost(
    points: Mapping[Point, str | Path],
    models: Mapping[str, str | Path],
    prompts: pd.DataFrame,
    sampling: Mapping[str, Any],
    nucleus: str | None,
    repeats: int,
    batch_size: int,
    device: str = "cpu",
    threads: int = 1,
    progress: Progress | None = None,
    precision: str = "fp32",
) -> pd.DataFrame:
    """Generate the same prompts at each point in weight space and in logit space, ``repeats`` times, taking turns.

    Args:
        points: point -> directory of its merged checkpoint.
        models: name -> directory, at least for the models of the points and ``nucleus``.
        prompts: columns ``row`` and ``text``, as for ``generation.sample_texts``.
        sampling: the fields of ``generation.Sampling``.
        nucleus: the model whose logits determine the nucleus in logit space (see ``ensembles.load_ensemble``).
        batch_size: sequences computed at once, in both spaces; there is no fallback to smaller batches.
        threads: CPU threads of torch.
        progress: counts measurements.
        precision: precision of generation, in both spaces.

    Returns one row per measurement in the order in which they were made (repeat, point, space), with ``COST_COLUMNS``:
    ``space`` (weights, logits), ``point`` (id), ``repeat`` (from 1), ``texts``, ``tokens`` (new ones, without
    end-of-text tokens), ``load_seconds`` (from disk to the device, with what transformers imports and CUDA sets up
    at first use), ``seconds`` (of generating alone, after a short warm-up), ``seconds_per_1000_tokens`` (NaN without
    any token) and ``peak_memory_mb`` in MiB: on a CPU the largest resident memory of the process, Python and its
    libraries included; on a GPU the most that torch had allocated there.

    Raises ``UserError`` naming point and space if loading or generating raises one, or if GPU memory does not suffice
    for ``batch_size``.
    """
    directories = {name: Path(directory) for name, directory in models.items()}
    jobs = [
        _Job(point, checkpoint, directories, nucleus, prompts, sampling, batch_size, device, threads, precision)
        for point, merged in points.items()
        for checkpoint in (Path(merged), None)
    ]
    records = []
    for repeat, job in itertools.product(range(1, repeats + 1), jobs):
        with error_prefix(f"cost of {job.point.id} in the space of {job.space}"):
            measured = _in_fresh_process(job)
        records.append({"space": job.space, "point": job.point.id, "repeat": repeat} | measured)
        if progress:
            progress.update(len(records))
    table = pd.DataFrame(records)
    # Without tokens there is no cost per token.
    table["seconds_per_1000_tokens"] = 1000 * table["seconds"] / table["tokens"].where(table["tokens"] > 0)
    return table[COST_COLUMNS]


def write_cost(table: pd.DataFrame, path: str | Path) -> None:
    """Write the frame of ``measure_cost`` as CSV, atomically: floats to six significant digits, missing ones empty."""
    with atomic_path(path) as scratch:
        table.to_csv(scratch, index=False, lineterminator="\n", float_format="%.6g")


def _in_fresh_process(job: _Job) -> dict[str, float]:
    """The result or ``UserError`` of ``_measure`` in a new interpreter (peak memory of a process never goes down)."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(job, sender), daemon=True)
    process.start()
    sender.close()  # the child keeps its copy, so its death shows as the end of the pipe
    try:
        outcome = receiver.recv()
    except EOFError:
        outcome = None
    process.join()
    if isinstance(outcome, UserError):
        raise outcome
    if outcome is None:
        raise RuntimeError(
            f"measuring {job.point.id} in the space of {job.space} ended with exit code {process.exitcode}; its "
            "traceback, if it was not killed, is in the log"
        )
    return outcome


def _child(job: _Job, sender: Connection) -> None:
    threading.Thread(target=_end_with_the_job, daemon=True).start()
    try:
        sender.send(_measure(job))
    except UserError as error:
        sender.send(error)


def _end_with_the_job() -> None:
    """Wait until the job ends, then exit at once: the job's lease of the GPU ends with it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _measure(job: _Job) -> dict[str, float]:
    """``texts, tokens, load_seconds, seconds, peak_memory_mb`` of one job, in this process."""
    import torch

    from lm_interpolation.jobs.batches import AdaptiveBatches
    from lm_interpolation.jobs.compute import prepare_torch
    from lm_interpolation.texts.ensembles import load_ensemble
    from lm_interpolation.texts.generation import Sampling, sample_texts
    from lm_interpolation.texts.language_models import Mixture, load_language_model

    prepare_torch(job.threads)
    sampling = Sampling(**job.sampling)

    def load() -> Mixture:
        if job.checkpoint is None:
            return load_ensemble(job.point, job.models, job.nucleus, job.device, job.precision)
        return Mixture(((1.0, load_language_model(job.checkpoint, job.device, precision=job.precision)),))

    def timed(action: Callable[[], Any]) -> tuple[Any, float]:
        started = time.perf_counter()
        result = action()
        if job.device == "cuda":
            torch.cuda.synchronize()  # a GPU keeps working after the call has returned
        return result, time.perf_counter() - started

    mixture, load_seconds = timed(load)
    # One full batch with few tokens: setup at first use should not count as the cost of a text.
    first = job.prompts.head(-(-job.batch_size // sampling.samples))
    short = Sampling(sampling.top_p, min(2, sampling.max_new_tokens), sampling.samples, sampling.seed)
    batches = AdaptiveBatches(job.batch_size)
    sample_texts(mixture, first, short, batches)
    texts, seconds = timed(lambda: sample_texts(mixture, job.prompts, sampling, batches))
    if batches.size < job.batch_size:
        raise UserError(
            f"GPU memory does not suffice for {job.batch_size} texts at once, and costs are compared at one size of "
            f"batches; lower compute.batch_size.generate to {batches.size} or less"
        )
    peak = torch.cuda.max_memory_allocated() if job.device == "cuda" else _peak_resident_memory()
    return {
        "texts": len(texts),
        "tokens": int(texts["tokens"].sum()),
        "load_seconds": load_seconds,
        "seconds": seconds,
        "peak_memory_mb": peak / 2**20,
    }


def _peak_resident_memory() -> int:
    """The largest resident memory of this process so far, in bytes."""
    if sys.platform == "linux":
        # Not ru_maxrss, which includes the memory of the parent when it started this process (measured).
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
