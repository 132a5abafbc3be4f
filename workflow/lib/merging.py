"""Merging: the checkpoint theta = sum_m c_m theta_m of a point, streamed over tensors.

Source: Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092), Eqs. 1-4, all of which are affine combinations of
models (see ``points``). Memory is constant whatever the size of the model, and torch is not needed.

Every byte is read once, digested on the way, and written once, while a second thread digests, writes and flushes what
was merged before (what that gains: benchmarks/notes.md).
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import xxhash

from workflow.lib.checkpoints import ITEM_SIZES, TOKENIZER_FILES, Checkpoint, Tensor, check_compatible
from workflow.lib.checksums import Reader, checked_reader, read_file, write_checksums
from workflow.lib.points import Point
from workflow.lib.runtime import Progress, UserError, atomic_path

CHUNK = 1 << 15
"""Elements that are worked on at once: so few that all models' stay in the processor's cache."""

_BLOCK = 1 << 22
"""Bytes that are handed to the thread that writes."""

_WRITE = 1 << 15
"""Bytes that are written at once: 0.5 GB took 0.1 s of system time in pieces of 32 KiB, and 1.4 s in pieces of 256 KiB
(measured on a virtual machine; why, we do not know)."""

_FLUSH = 1 << 28
"""Bytes after which what was written so far is sent to the disk."""


_Parents = Mapping[str, tuple[Tensor, Reader]]
"""Model name -> one of its tensors, and what reads it."""


def merge(point: Point, models: Mapping[str, str | Path], output: str | Path, progress: Progress | None = None) -> None:
    """Write the model at ``point`` into the directory ``output``, loadable with ``from_pretrained``.

    Args:
        point: coefficients; taken as they are, never normalised.
        models: model name -> Hugging Face directory (float32, float16 or bfloat16 safetensors); more than the point
            needs is allowed.
        output: written whole or not at all: model.safetensors (float32), config and tokenizer of the first model.
        progress: counts tensors.

    Sums are accumulated in float64 and stored as float32, so the point ``{m: 1}`` has exactly the values of ``m``.
    Integer and boolean tensors must be equal in all models and are copied.

    Raises ``UserError`` if a model is damaged (see ``check_model``), if models do not fit together (see
    ``check_compatible``), or if a value is NaN or infinite.
    """
    with atomic_path(output) as scratch, contextlib.ExitStack() as stack:
        readers = {model: stack.enter_context(checked_reader(models[model])) for model in point.models}
        checkpoints = check_compatible({model: models[model] for model in point.models})
        for model, checkpoint in checkpoints.items():
            check_tied(checkpoint, readers[model])
        first = next(iter(checkpoints.values()))
        # Larger elements first, so that each tensor is aligned (as safetensors itself does).
        names = sorted(first.tensors, key=lambda name: (-ITEM_SIZES[_output_dtype(first.tensors[name])], name))
        scratch.mkdir()
        with open(scratch / "model.safetensors", "wb") as handle, _Writer(handle) as writer:
            writer.write(_header({name: first.tensors[name] for name in names}))
            for done, name in enumerate(names, start=1):
                parents = {
                    model: (checkpoint.tensors[name], readers[model]) for model, checkpoint in checkpoints.items()
                }
                if first.tensors[name].is_float:
                    _merge_floats(point, name, parents, writer)
                else:
                    _copy_equal(name, parents, writer)
                if progress:
                    progress.update(done)
        config = {key: value for key, value in first.config.items() if key != "torch_dtype"} | {"dtype": "float32"}
        (scratch / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        for file in ("generation_config.json", *TOKENIZER_FILES):
            if (first.directory / file).exists():
                shutil.copyfile(first.directory / file, scratch / file)
        write_checksums(scratch, digests={"model.safetensors": writer.digest.hexdigest()})


def _output_dtype(tensor: Tensor) -> str:
    return "F32" if tensor.is_float else tensor.dtype


def _header(tensors: Mapping[str, Tensor]) -> bytes:
    """Header of a safetensors file that holds ``tensors`` in this order, floats as float32."""
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, tensor in tensors.items():
        end = start + tensor.size * ITEM_SIZES[_output_dtype(tensor)]
        entries[name] = {"dtype": _output_dtype(tensor), "shape": tensor.shape, "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


class _Writer(contextlib.AbstractContextManager["_Writer"]):
    """Appends to a file that is digested, written and flushed by threads while its next block is filled.

    Errors of the threads (a full disk) are raised by whichever method comes next.
    """

    def __init__(self, handle: BinaryIO) -> None:
        self.digest = xxhash.xxh3_128()
        self._handle = handle
        self._blocks = [bytearray(_BLOCK), bytearray(_BLOCK)]
        self._used = self._unflushed = 0
        # At most one write and one flush, which waits for the disk, at a time.
        self._threads = ThreadPoolExecutor(2)
        self._write_job: Future[None] | None = None
        self._flush_job: Future[None] | None = None

    def space(self, size: int) -> memoryview:
        """The next ``size`` bytes of the file, at most ``_BLOCK``, to be filled before the next call."""
        if self._used + size > _BLOCK:
            self._send()
        self._used += size
        return memoryview(self._blocks[0])[self._used - size : self._used]

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        for start in range(0, len(data), _BLOCK):
            piece = data[start : start + _BLOCK]
            self.space(len(piece))[:] = piece

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._threads:
            if kind is None:
                self._send()
                _wait(self._write_job)
                _wait(self._flush_job)

    def _send(self) -> None:
        _wait(self._write_job)
        self._write_job = self._threads.submit(self._write, memoryview(self._blocks[0])[: self._used])
        self._blocks.reverse()
        self._used = 0

    def _write(self, block: memoryview) -> None:
        self.digest.update(block)
        for start in range(0, len(block), _WRITE):
            self._handle.write(block[start : start + _WRITE])
        self._unflushed += len(block)
        if self._unflushed >= _FLUSH and (self._flush_job is None or self._flush_job.done()):
            # Its error would not reach whoever flushes the file later.
            _wait(self._flush_job)
            self._flush_job = self._threads.submit(os.fdatasync, self._handle.fileno())
            self._unflushed = 0


def _wait(job: Future[None] | None) -> None:
    if job is not None:
        job.result()


def _merge_floats(point: Point, name: str, parents: _Parents, writer: _Writer) -> None:
    weights = [(model, float(coefficient)) for model, coefficient in point.coefficients]
    streams = [float_chunks(*parents[model]) for model, _ in weights]
    for chunks in zip(*streams, strict=True):
        # Starting from the first product, not from zeros, keeps the sign of -0.0.
        for chunk, (_, weight) in zip(chunks, weights, strict=True):
            np.multiply(chunk, weight, out=chunk)
        total, *others = chunks
        for other in others:
            np.add(total, other, out=total)
        result = np.frombuffer(writer.space(4 * len(total)), "<f4")
        with np.errstate(over="ignore"):
            np.copyto(result, total, casting="same_kind")
        if not np.isfinite(result).all():
            for model, (tensor, read) in parents.items():
                if not all(np.isfinite(chunk).all() for chunk in float_chunks(tensor, read)):
                    raise UserError(
                        f"model {model} ({tensor.file}): tensor {tensor.name} holds NaN or inf; its training diverged "
                        "or the file is damaged"
                    )
            raise UserError(f"point {point.id}: tensor {name} exceeds the range of float32; use smaller coefficients")


def _copy_equal(name: str, parents: _Parents, writer: _Writer) -> None:
    (first, (reference, _)), *_ = parents.items()
    dtype = np.dtype(f"V{ITEM_SIZES[reference.dtype]}")
    for chunks in zip(*(_chunks(*parent, dtype) for parent in parents.values()), strict=True):
        for model, chunk in zip(parents, chunks, strict=True):
            if chunk.tobytes() != chunks[0].tobytes():
                raise UserError(
                    f"models {first} and {model}: {reference.dtype} tensor {name} differs; such a tensor cannot be "
                    "averaged, use models fine-tuned from the same one"
                )
        writer.write(chunks[0].tobytes())


def check_tied(checkpoint: Checkpoint, read: Reader = read_file) -> None:
    """Where a file stores both tied tensors, dropping one is right only if they are equal."""
    if checkpoint.tied is None:
        return
    head, embedding = checkpoint.tied
    streams = (float_chunks(tensor, read) for tensor in checkpoint.tied)
    for one, two in zip(*streams, strict=True):
        if not np.array_equal(one, two, equal_nan=True):
            raise UserError(
                f"{checkpoint.directory}: {head.name} and {embedding.name} are tied in config.json but differ; "
                'set "tie_word_embeddings" to false there if the model has an output layer of its own'
            )


def _widen_bfloat16(bits: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """bfloat16 is the upper half of a float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


_FLOATS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "F32": ("<f4", lambda values: values),
    "F16": ("<f2", lambda values: values),
    "BF16": ("<u2", _widen_bfloat16),
}
"""dtype in safetensors -> numpy's dtype to read it with, and what makes numbers of it."""


def float_chunks(tensor: Tensor, read: Reader = read_file) -> Iterator[npt.NDArray[np.float64]]:
    """The values of a float32, float16 or bfloat16 tensor, flat, at most ``CHUNK`` at a time.

    Each chunk lies where the one before did, and may be overwritten.
    """
    if tensor.dtype not in _FLOATS:
        raise UserError(f"{tensor.file}: tensor {tensor.name} has dtype {tensor.dtype}; save the model in float32")
    dtype, widen = _FLOATS[tensor.dtype]
    values = np.empty(min(CHUNK, tensor.size))
    for chunk in _chunks(tensor, read, np.dtype(dtype)):
        np.copyto(values[: len(chunk)], widen(chunk))
        yield values[: len(chunk)]


def _chunks(tensor: Tensor, read: Reader, dtype: np.dtype) -> Iterator[np.ndarray]:
    """The elements of a tensor, at most ``CHUNK`` at a time, each chunk where the one before was.

    Read rather than memory-mapped: mapped pages count as resident memory, and a file that shrinks would end the process
    with a signal instead of an error.
    """
    buffer = memoryview(bytearray(min(CHUNK, tensor.size) * dtype.itemsize))
    for begin in range(0, tensor.size, CHUNK):
        part = buffer[: min(CHUNK, tensor.size - begin) * dtype.itemsize]
        read(tensor.file, tensor.start + begin * dtype.itemsize, part)
        yield np.frombuffer(part, dtype)
