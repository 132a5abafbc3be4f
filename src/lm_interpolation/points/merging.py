"""Merging: the checkpoint theta = sum_m c_m theta_m of a point, streamed over tensors.

Source: Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092). Eqs. 1-4 are all affine combinations of
models (see ``points``). Memory does not depend on the size of the model, and torch is not needed.

Every byte is read once, digested while it is read, and written once: one thread reads ahead, one sums, and one writes
earlier sums (for the gain see benchmarks/notes.md).
"""

import contextlib
import errno
import fcntl
import itertools
import json
import mmap
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from lm_interpolation.jobs.checksums import CHECKSUMS, Reader, checked_reader, read_file, write_checksums
from lm_interpolation.jobs.runtime import Progress, UserError, atomic_path
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible, shortest_context
from lm_interpolation.models.headers import ITEM_SIZES, Tensor
from lm_interpolation.models.model_folders import CONTEXT, names_in, settings_files
from lm_interpolation.models.special_tokens import merged_stops
from lm_interpolation.points.algebra import Point

CHUNK = 1 << 15
"""Elements that are processed at once: few enough that those of all models stay in the processor's cache."""

_AHEAD = 1 << 22
"""Bytes of each model that are read ahead while others are summed."""

_BLOCK = 1 << 24
"""Bytes that are written at once."""

_SECTOR = 1 << 12
"""Writes past the page cache begin, end and lie in memory at multiples of this many bytes."""


def merge(point: Point, models: Mapping[str, str | Path], output: str | Path, progress: Progress | None = None) -> None:
    """Write the model at ``point`` into the directory ``output``, loadable with ``from_pretrained``.

    Args:
        point: coefficients; used as they are, never normalised.
        models: model name -> Hugging Face directory (float32, float16 or bfloat16 safetensors); more than the point
            needs is allowed.
        output: written whole or not at all: model.safetensors (float32), config and tokenizer of the first model. Its
            context is the shortest of all, and any token that ends texts of one model ends its texts.
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
        with (
            _Writer(scratch / "model.safetensors") as writer,
            contextlib.closing(_read_ahead(names, checkpoints, readers)) as blocks_of_tensors,
        ):
            writer.write(_header({name: first.tensors[name] for name in names}))
            for done, name, blocks in blocks_of_tensors:
                if first.tensors[name].is_float:
                    _merge_floats(point, name, checkpoints, blocks, writer)
                else:
                    _copy_equal(name, checkpoints, blocks, writer)
                if progress:
                    progress.update(done)
        if progress:
            progress.update(len(names))
        config = {key: value for key, value in first.config.items() if key != "torch_dtype"} | {"dtype": "float32"}
        if CONTEXT in config:
            config[CONTEXT] = shortest_context(checkpoints.values())
        (scratch / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        for file in settings_files(names_in(first.directory)):
            if file not in ("config.json", CHECKSUMS):
                shutil.copyfile(first.directory / file, scratch / file)
        if (stops := merged_stops([checkpoint.directory for checkpoint in checkpoints.values()])) is not None:
            path = scratch / "generation_config.json"
            generation = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            generation["eos_token_id"] = stops
            path.write_text(json.dumps(generation, indent=2, sort_keys=True) + "\n", encoding="utf-8")
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
    """A new file, digested and written by a thread while its next block is filled.

    Blocks go to the disk past the page cache, if the file system supports that. A checkpoint is too large to keep in
    the cache beside its parents, which the next point reads again; and nothing remains to be flushed.

    Errors of the thread (a full disk, for example) are raised by the next method call.
    """

    def __init__(self, path: Path) -> None:
        self.digest = xxhash.xxh3_128()
        self._descriptor = _open_direct(path)
        # Whole pages, as writes past the page cache require.
        anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._blocks = [memoryview(mmap.mmap(-1, _BLOCK, flags=anonymous)) for _ in range(2)]
        self._used = self._size = 0
        self._thread = ThreadPoolExecutor(1)
        self._job: Future[None] | None = None

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``."""
        while data:
            count = min(len(data), _BLOCK - self._used)
            self._blocks[0][self._used : self._used + count] = data[:count]
            self._used += count
            data = data[count:]
            if self._used == _BLOCK:
                self._send()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            with self._thread:
                if kind is None:
                    self._send()
                    self._wait()
                    # The last block was filled up to whole sectors.
                    os.ftruncate(self._descriptor, self._size)
        finally:
            os.close(self._descriptor)

    def _send(self) -> None:
        self._wait()
        self._job = self._thread.submit(self._write, self._blocks[0], self._used)
        self._size += self._used
        self._blocks.reverse()
        self._used = 0

    def _wait(self) -> None:
        if self._job is not None:
            self._job.result()

    def _write(self, block: memoryview, used: int) -> None:
        self.digest.update(block[:used])
        block = block[: -(-used // _SECTOR) * _SECTOR]
        while block:
            try:
                block = block[os.write(self._descriptor, block) :]
            except OSError as error:
                if error.errno != errno.EINVAL or not self._leave_direct():
                    raise

    def _leave_direct(self) -> bool:
        """Continue through the page cache: some file systems refuse only now. Returns whether that changes anything."""
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT)
        return bool(flags & os.O_DIRECT)


def _open_direct(path: Path) -> int:
    """A descriptor of a new file that is written past the page cache, if its file system can do that."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        return os.open(path, flags | os.O_DIRECT, 0o666)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # Some network file systems, and those in memory before Linux 6.6.
        return os.open(path, flags, 0o666)


def _read_ahead(
    names: Sequence[str], checkpoints: Mapping[str, Checkpoint], readers: Mapping[str, Reader]
) -> Generator[tuple[int, str, tuple[memoryview, ...]]]:
    """Yields (index, name, one block per model) for each tensor, with at most ``_AHEAD`` bytes per block.

    Blocks live in two alternating buffers: asking for the next block overwrites the one before the current.
    """
    buffers = {
        model: itertools.cycle([memoryview(bytearray(_AHEAD)), memoryview(bytearray(_AHEAD))]) for model in checkpoints
    }

    def read() -> Iterator[tuple[int, str, tuple[memoryview, ...]]]:
        for done, name in enumerate(names):
            tensors = {model: checkpoint.tensors[name] for model, checkpoint in checkpoints.items()}
            elements = _AHEAD // max(ITEM_SIZES[tensor.dtype] for tensor in tensors.values())
            streams = [_blocks(tensor, readers[model], elements, buffers[model]) for model, tensor in tensors.items()]
            for blocks in zip(*streams, strict=True):
                yield done, name, blocks

    items = read()
    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(next, items, None)
        while (item := job.result()) is not None:
            job = thread.submit(next, items, None)
            yield item


def _merge_floats(
    point: Point, name: str, checkpoints: Mapping[str, Checkpoint], blocks: Sequence[memoryview], writer: _Writer
) -> None:
    weights = {model: float(coefficient) for model, coefficient in point.coefficients}
    tensors = [checkpoint.tensors[name] for checkpoint in checkpoints.values()]
    streams = [_doubles(tensor, [block]) for tensor, block in zip(tensors, blocks, strict=True)]
    sums = np.empty(CHUNK, "<f4")
    for chunks in zip(*streams, strict=True):
        # Start from the first product, not from zeros, to keep the sign of -0.0.
        for model, chunk in zip(checkpoints, chunks, strict=True):
            np.multiply(chunk, weights[model], out=chunk)
        total, *others = chunks
        for other in others:
            np.add(total, other, out=total)
        result = sums[: len(total)]
        with np.errstate(over="ignore"):
            np.copyto(result, total, casting="same_kind")
        if not np.isfinite(result).all():
            for model, checkpoint in checkpoints.items():
                if not all(np.isfinite(chunk).all() for chunk in float_chunks(checkpoint.tensors[name])):
                    raise UserError(
                        f"model {model} ({checkpoint.tensors[name].file}): tensor {name} holds NaN or inf; its "
                        "training diverged or the file is damaged"
                    )
            raise UserError(f"point {point.id}: tensor {name} exceeds the range of float32; use smaller coefficients")
        writer.write(result.data.cast("B"))


def _copy_equal(
    name: str, checkpoints: Mapping[str, Checkpoint], blocks: Sequence[memoryview], writer: _Writer
) -> None:
    first, *_ = checkpoints
    for model, block in zip(checkpoints, blocks, strict=True):
        if block != blocks[0]:
            raise UserError(
                f"models {first} and {model}: {checkpoints[first].tensors[name].dtype} tensor {name} differs; such a "
                "tensor cannot be averaged, use models fine-tuned from the same one"
            )
    writer.write(blocks[0])


def check_tied(checkpoint: Checkpoint, read: Reader = read_file) -> None:
    """If a file stores both tied tensors, one may be dropped only if they are equal."""
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
"""dtype in safetensors -> numpy's dtype to read it with, and the conversion to numbers."""


def float_chunks(tensor: Tensor, read: Reader = read_file) -> Iterator[npt.NDArray[np.float64]]:
    """The values of a float32, float16 or bfloat16 tensor, flat, at most ``CHUNK`` at a time.

    Each chunk reuses the buffer of the previous one; the caller may overwrite it.
    """
    buffer = memoryview(bytearray(ITEM_SIZES[tensor.dtype] * min(CHUNK, tensor.size)))
    return _doubles(tensor, _blocks(tensor, read, CHUNK, itertools.repeat(buffer)))


def _doubles(tensor: Tensor, blocks: Iterable[memoryview]) -> Iterator[npt.NDArray[np.float64]]:
    """Like ``float_chunks``, for bytes already read."""
    if tensor.dtype not in _FLOATS:
        raise UserError(f"{tensor.file}: tensor {tensor.name} has dtype {tensor.dtype}; save the model in float32")
    dtype, widen = _FLOATS[tensor.dtype]
    values = np.empty(min(CHUNK, tensor.size))
    for block in blocks:
        numbers = np.frombuffer(block, dtype)
        for begin in range(0, len(numbers), CHUNK):
            chunk = widen(numbers[begin : begin + CHUNK])
            np.copyto(values[: len(chunk)], chunk)
            yield values[: len(chunk)]


def _blocks(tensor: Tensor, read: Reader, elements: int, buffers: Iterator[memoryview]) -> Iterator[memoryview]:
    """The bytes of a tensor, some elements at a time, each block in the next of the buffers.

    Read rather than memory-mapped: mapped pages count as resident memory, and a file that shrinks would end the process
    with a signal instead of an error.
    """
    size = ITEM_SIZES[tensor.dtype]
    for begin in range(0, tensor.size, elements):
        block = next(buffers)[: size * min(elements, tensor.size - begin)]
        read(tensor.file, tensor.start + size * begin, block)
        yield block
