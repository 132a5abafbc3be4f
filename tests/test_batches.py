import weakref

import pytest
import torch

from workflow.lib.batches import AdaptiveBatches
from workflow.lib.runtime import UserError

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


@pytest.mark.parametrize("error", [MemoryError("std::bad_alloc"), RuntimeError("DefaultCPUAllocator: can't allocate")])
def test_other_errors_are_not_caught(error):
    calls: list[int] = []

    def compute(batch):
        calls.append(len(batch))
        raise error

    with pytest.raises(type(error), match=str(error)):
        list(AdaptiveBatches(4).over(range(8), compute))
    assert calls == [4]
