import json
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch

from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.runtime import UserError

OUT_OF_MEMORY = "CUDA out of memory. Tried to allocate 2.00 GiB.\nMore."


def squares_up_to(limit: int, calls: list[list[int]]):
    """Squares of a batch, if it has at most ``limit`` items."""

    def compute(batch):
        calls.append(list(batch))
        if len(batch) > limit:
            raise torch.OutOfMemoryError(OUT_OF_MEMORY)
        return [item**2 for item in batch]

    return compute


def test_batches_are_as_large_as_asked_for():
    calls: list[list[int]] = []
    batches = AdaptiveBatches(3)
    assert list(batches.over([1, 2, 3, 4], squares_up_to(3, calls))) == [([1, 2, 3], [1, 4, 9]), ([4], [16])]
    assert calls == [[1, 2, 3], [4]] and batches.size == 3


def test_size_is_halved_and_stays_so(capsys):
    calls: list[list[int]] = []
    batches = AdaptiveBatches(9)
    compute = squares_up_to(2, calls)
    results = list(batches.over(range(5), compute))
    # Five items are all there are: half of nine would be about as many. Nothing is yielded twice.
    assert [len(call) for call in calls] == [5, 2, 2, 1]
    assert [value for _, values in results for value in values] == [0, 1, 4, 9, 16]
    assert [list(batch) for batch, _ in results] == [[0, 1], [2, 3], [4]]
    assert capsys.readouterr().err.splitlines() == [
        "GPU memory does not suffice for 5 texts at once: from here on 2 (compute.batch_size says with how many a job "
        "starts)"
    ]
    calls.clear()
    list(batches.over(range(4), compute))
    assert calls == [[0, 1], [2, 3]]


def test_memory_may_run_out_in_the_middle(capsys):
    # As when later texts are longer: what was done stays done.
    calls: list[list[int]] = []

    def compute(batch):
        calls.append(list(batch))
        if sum(batch) > 10:
            raise torch.OutOfMemoryError(OUT_OF_MEMORY)
        return sum(batch)

    results = [result for _, result in AdaptiveBatches(4).over(range(8), compute)]
    assert calls == [[0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [6, 7], [6], [7]]
    assert results == [6, 9, 6, 7]
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_not_even_one():
    with pytest.raises(UserError, match=r"not suffice for one text at a time \(CUDA out of memory. Tried .* GiB\.\);"):
        list(AdaptiveBatches(4).over(range(8), squares_up_to(0, [])))


def test_a_failed_batch_is_given_back_before_the_next_attempt(monkeypatch):
    tensors: list[weakref.ref] = []
    alive: list[int] = []
    monkeypatch.setattr(
        torch.cuda, "empty_cache", lambda: alive.append(sum(tensor() is not None for tensor in tensors))
    )

    def compute(batch):
        logits = torch.zeros(len(batch))
        tensors.append(weakref.ref(logits))
        if len(batch) > 1:
            # Some libraries keep an exception in a variable: a cycle that only the collector breaks.
            kept = torch.OutOfMemoryError(OUT_OF_MEMORY)
            raise kept
        return len(batch)

    assert [result for _, result in AdaptiveBatches(4).over(range(4), compute)] == [1, 1, 1, 1]
    assert len(tensors) == 6 and alive == [0, 0]


@pytest.mark.parametrize("error", [ValueError("no such token"), RuntimeError("shapes cannot be multiplied")])
def test_other_errors_are_not_caught(error):
    calls: list[int] = []

    def compute(batch):
        calls.append(len(batch))
        raise error

    with pytest.raises(type(error), match=str(error)):
        list(AdaptiveBatches(4).over(range(8), compute))
    assert calls == [4]


@pytest.mark.parametrize("error", [MemoryError("std::bad_alloc"), RuntimeError("DefaultCPUAllocator: can't allocate")])
def test_the_memory_of_the_machine_runs_out_as_well(error, capsys):
    def compute(batch):
        if len(batch) > 1:
            raise error
        return len(batch)

    assert [result for _, result in AdaptiveBatches(4).over(range(3), compute)] == [1, 1, 1]
    assert capsys.readouterr().err.startswith("memory does not suffice for 3 texts at once: from here on 1 ")


# In a process of its own, which cannot have its memory back.
BOUNDED = """
import sys
import torch
from lm_interpolation.jobs.batches import AdaptiveBatches
from lm_interpolation.jobs.compute import available_memory, bound_memory

megabyte = 1 << 20
assert 100 * megabyte < available_memory() < 1 << 50
bound_memory(1200 * megabyte)

def compute(batch):
    return torch.ones(len(batch), 50 * megabyte).sum().item()

print([result / len(batch) for batch, result in AdaptiveBatches(8).over(range(8), compute)])
"""


@pytest.mark.slow
def test_a_process_on_a_cpu_is_bounded():
    """A text takes 200 MB here: 8 at once do not fit below the bound of 1200 MB."""
    code = [sys.executable, "-c", BOUNDED]
    process = subprocess.run(code, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert process.returncode == 0, process.stderr
    shares = json.loads(process.stdout)
    assert len(shares) >= 2 and set(shares) == {50 << 20}
    assert "memory does not suffice for 8 texts at once: from here on 4" in process.stderr
