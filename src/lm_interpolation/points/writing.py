"""Writing a merged checkpoint, streamed over tensors: what every merge has in common, whatever it computes.

Every byte is digested while it is written, by a thread that writes one block while the next is filled (for the gain see
benchmarks/notes.md).
"""

import contextlib
import errno
import fcntl
import json
import mmap
import os
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import xxhash

from lm_interpolation.jobs.checksums import CHECKSUMS, Reader, checked_reader, read_file, write_checksums
from lm_interpolation.jobs.runtime import Progress, UserError, atomic_path
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible, shortest_context
from lm_interpolation.models.headers import ITEM_SIZES, Tensor
from lm_interpolation.models.model_folders import CONTEXT, names_in, settings_files
from lm_interpolation.models.special_tokens import merged_stops
from lm_interpolation.points.reading import float_chunks

_BLOCK = 1 << 24
"""Bytes that are written at once."""

_SECTOR = 1 << 12
"""Writes past the page cache begin, end and lie in memory at multiples of this many bytes."""

Sums = Callable[[Mapping[str, Checkpoint], Mapping[str, Reader], Sequence[str]], Generator[tuple[int, memoryview]]]
"""Computes a checkpoint from (name -> checkpoint, name -> how to read its files, names of the tensors in order).

It yields (index of the tensor, the next bytes of it): float tensors as float32, others as they are.
"""


def write_checkpoint(
    models: Mapping[str, str | Path], output: str | Path, sums: Sums, progress: Progress | None = None
) -> None:
    """Write what ``sums`` computes from ``models`` (name -> Hugging Face directory) into the directory ``output``.

    It is written whole or not at all: model.safetensors (float32), config and tokenizer of the first model. Its context
    is the shortest of all, and any token that ends texts of one model ends its texts. ``progress`` counts tensors.

    Raises ``UserError`` if a model is damaged (see ``check_model``) or if models do not fit together (see
    ``check_compatible``), and what ``sums`` raises.
    """
    with atomic_path(output) as scratch, contextlib.ExitStack() as stack:
        readers = {model: stack.enter_context(checked_reader(models[model])) for model in models}
        checkpoints = check_compatible(models)
        for model, checkpoint in checkpoints.items():
            check_tied(checkpoint, readers[model])
        first = next(iter(checkpoints.values()))
        # Larger elements first, so that each tensor is aligned (as safetensors itself does).
        names = sorted(first.tensors, key=lambda name: (-ITEM_SIZES[_output_dtype(first.tensors[name])], name))
        scratch.mkdir()
        with (
            _Writer(scratch / "model.safetensors") as writer,
            contextlib.closing(sums(checkpoints, readers, names)) as parts,
        ):
            writer.write(_header({name: first.tensors[name] for name in names}))
            for done, part in parts:
                writer.write(part)
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


def check_equal(name: str, checkpoints: Mapping[str, Checkpoint], parts: Sequence[memoryview]) -> None:
    """Raise ``UserError`` if the bytes of an integer or boolean tensor differ; there is a part for each checkpoint."""
    first, *_ = checkpoints
    for model, part in zip(checkpoints, parts, strict=True):
        if part != parts[0]:
            raise UserError(
                f"models {first} and {model}: {checkpoints[first].tensors[name].dtype} tensor {name} differs; such a "
                "tensor cannot be averaged, use models fine-tuned from the same one"
            )


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
