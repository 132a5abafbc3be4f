"""Merging: the checkpoint theta = sum_m c_m theta_m of a point, streamed over tensors.

Source: Rofin, Balagansky and Gavrilov 2022 (arXiv 2211.12092), Eqs. 1-4, all of which are affine combinations of
models (see ``points``). Memory is constant whatever the size of the model, and torch is not needed.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from workflow.lib.checkpoints import ITEM_SIZES, TOKENIZER_FILES, Checkpoint, Tensor, check_compatible
from workflow.lib.checksums import check_model, write_checksums
from workflow.lib.points import Point
from workflow.lib.runtime import Progress, UserError, atomic_path

CHUNK = 1 << 18
"""Elements that are held in memory at once, per model."""


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
    for model in point.models:
        check_model(models[model])
    checkpoints = check_compatible({model: models[model] for model in point.models})
    for checkpoint in checkpoints.values():
        check_tied(checkpoint)
    first = next(iter(checkpoints.values()))
    # Larger elements first, so that each tensor is aligned (as safetensors itself does).
    names = sorted(first.tensors, key=lambda name: (-ITEM_SIZES[_output_dtype(first.tensors[name])], name))
    with atomic_path(output) as scratch:
        scratch.mkdir()
        with open(scratch / "model.safetensors", "wb") as handle:
            handle.write(_header({name: first.tensors[name] for name in names}))
            for done, name in enumerate(names, start=1):
                parents = {model: checkpoint.tensors[name] for model, checkpoint in checkpoints.items()}
                if first.tensors[name].is_float:
                    _merge_floats(point, name, parents, handle)
                else:
                    _copy_equal(name, parents, handle)
                if progress:
                    progress.update(done)
        config = {key: value for key, value in first.config.items() if key != "torch_dtype"} | {"dtype": "float32"}
        (scratch / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        for file in ("generation_config.json", *TOKENIZER_FILES):
            if (first.directory / file).exists():
                shutil.copyfile(first.directory / file, scratch / file)
        write_checksums(scratch)


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


def _merge_floats(point: Point, name: str, parents: Mapping[str, Tensor], handle: BinaryIO) -> None:
    weights = [(model, float(coefficient)) for model, coefficient in point.coefficients]
    streams = [float_chunks(parents[model]) for model, _ in weights]
    for chunks in zip(*streams, strict=True):
        # Starting from the first product, not from zeros, keeps the sign of -0.0.
        total = chunks[0] * weights[0][1]
        for chunk, (_, weight) in zip(chunks[1:], weights[1:], strict=True):
            total += chunk * weight
        with np.errstate(over="ignore"):
            result = total.astype("<f4")
        if not np.isfinite(result).all():
            for (model, _), chunk in zip(weights, chunks, strict=True):
                if not np.isfinite(chunk).all():
                    raise UserError(
                        f"model {model} ({parents[model].file}): tensor {parents[model].name} holds NaN or inf; "
                        "its training diverged or the file is damaged"
                    )
            raise UserError(f"point {point.id}: tensor {name} exceeds the range of float32; use smaller coefficients")
        handle.write(result.tobytes())


def _copy_equal(name: str, parents: Mapping[str, Tensor], handle: BinaryIO) -> None:
    (first, reference), *_ = parents.items()
    dtype = np.dtype(f"V{ITEM_SIZES[reference.dtype]}")
    for chunks in zip(*(_chunks(tensor, dtype) for tensor in parents.values()), strict=True):
        for model, chunk in zip(parents, chunks, strict=True):
            if chunk.tobytes() != chunks[0].tobytes():
                raise UserError(
                    f"models {first} and {model}: {reference.dtype} tensor {name} differs; such a tensor cannot be "
                    "averaged, use models fine-tuned from the same one"
                )
        handle.write(chunks[0].tobytes())


def check_tied(checkpoint: Checkpoint) -> None:
    """Where a file stores both tied tensors, dropping one is right only if they are equal."""
    if checkpoint.tied is None:
        return
    head, embedding = checkpoint.tied
    streams = (float_chunks(tensor) for tensor in checkpoint.tied)
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


def float_chunks(tensor: Tensor) -> Iterator[npt.NDArray[np.float64]]:
    """The values of a float32, float16 or bfloat16 tensor, flat, at most ``CHUNK`` at a time."""
    if tensor.dtype not in _FLOATS:
        raise UserError(f"{tensor.file}: tensor {tensor.name} has dtype {tensor.dtype}; save the model in float32")
    dtype, widen = _FLOATS[tensor.dtype]
    for chunk in _chunks(tensor, np.dtype(dtype)):
        yield widen(chunk).astype(np.float64)


def _chunks(tensor: Tensor, dtype: np.dtype) -> Iterator[np.ndarray]:
    """The elements of a tensor, at most ``CHUNK`` at a time.

    Read rather than memory-mapped: mapped pages count as resident memory, and reading ahead suits a single pass.
    """
    with open(tensor.file, "rb", buffering=0) as handle:
        handle.seek(tensor.start)
        for begin in range(0, tensor.size, CHUNK):
            count = min(CHUNK, tensor.size - begin)
            chunk = np.fromfile(handle, dtype=dtype, count=count)
            if len(chunk) != count:
                raise UserError(f"{tensor.file}: shrank while it was read; copy or download it again")
            yield chunk
