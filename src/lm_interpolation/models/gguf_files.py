"""Models in GGUF files: which file is meant, and what its header says. No weight is read, no torch or numpy needed.

Format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), all numbers little endian: ``GGUF``, the version,
the numbers of tensors and of metadata; the metadata (key, type, value); the tensors (name, dimensions, type, place);
then, aligned, their data. A tensor's first dimension is the one whose elements lie side by side. Where a type is
quantised, a block of so many elements takes so many bytes.
"""

import math
import mmap
import re
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.data.data_files import require_file
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.model_folders import TOKENIZER_FILES, is_count, model_files, names_in

ARCHITECTURES = frozenset({
    "bloom", "falcon", "gemma2", "gemma3", "gemma4", "gpt2", "gpt-oss", "llama", "minimax-m2", "nemotron", "phi3",
    "qwen2", "qwen2moe", "qwen3", "qwen3moe", "stablelm", "starcoder2",
})  # fmt: skip
"""Language models that transformers reads from GGUF, by ``general.architecture``.

Left out are those with recurrent layers (mamba, lfm2, qwen35, ...), with which no study can generate.
"""

TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2),
    2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
    19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 29: ("IQ1_M", 256, 56), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66),
    39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36),
}  # fmt: skip
"""The types of tensors that the package gguf turns into numbers: id -> (name, elements and bytes of a block)."""

FLOATS = ("F32", "F16", "BF16")
"""The types among them that are not quantised."""

TOKENIZERS = ("gpt2", "llama", "t5", "gemma4")
"""The kinds of tokenizers, ``tokenizer.ggml.model``, that transformers builds from GGUF."""

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")
_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
_AGAIN = "copy or download it again"


@dataclass(frozen=True)
class GgufTensor:
    """A tensor: its shape as in torch, and the id of its type."""

    name: str
    shape: tuple[int, ...]
    type: int


@dataclass(frozen=True)
class GgufHeader:
    """What the header of a file says. Of an array among the metadata only the length is kept."""

    path: Path
    metadata: Mapping[str, Any]
    tensors: tuple[GgufTensor, ...]

    @property
    def architecture(self) -> str:
        """The name of its architecture in GGUF."""
        return str(self.metadata["general.architecture"])

    @property
    def context(self) -> int | None:
        """The longest text, in tokens, that it can read; None if the file does not say."""
        context = self.metadata.get(f"{self.architecture}.context_length")
        return context if is_count(context) else None

    @property
    def vocabulary(self) -> int:
        """The number of tokens that it embeds."""
        return next(tensor.shape[0] for tensor in self.tensors if tensor.name == "token_embd.weight")

    @property
    def size(self) -> int:
        """The number of elements of all tensors."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)

    def precision(self) -> str:
        """Words on the types of the tensors, the most frequent first, and on what becomes of them."""
        counts = Counter(TYPES[tensor.type][0] for tensor in self.tensors).most_common()
        quantised, floats = (
            [(name, count) for name, count in counts if (name in FLOATS) == plain] for plain in (False, True)
        )
        if not quantised:
            return f"weights are not quantised: {_listed(floats)} tensors, read as float32"
        beside = f"; the others are {_listed(floats)}" if floats else ""
        return f"weights are dequantised from {_listed(quantised)} tensors to float32{beside}"


def _listed(counts: Sequence[tuple[str, int]]) -> str:
    return " and ".join(f"{count} {name}" for name, count in counts)


def gguf_path(directory: str | Path, name: str) -> Path:
    """The file ``name`` in a folder. Raises ``UserError`` if it is not there, or is a pointer to data elsewhere."""
    directory = Path(directory)
    if not directory.is_dir():
        raise UserError(f"{directory}: no such directory; give the one that {name} lies in")
    path = directory / name
    if not path.exists() and not path.is_symlink():
        raise missing_gguf(str(directory), name, names_in(directory))
    require_file(path, "gguf_file")
    return path


def missing_gguf(source: str, name: str, names: list[str]) -> UserError:
    """The error for a file ``name`` that is not among ``names``, those of a folder or repository."""
    found = sorted(other for other in names if other.endswith(".gguf") and "/" not in other)
    shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    return UserError(f"{source}: no file {name}; it has {shown or 'no GGUF file'}: correct gguf_file")


def tokenizer_files(directory: str | Path) -> list[Path]:
    """The files of a folder that its tokenizer is loaded from. Raises ``UserError`` if they cannot be read."""
    wanted = {"config.json", *TOKENIZER_FILES}
    return [path for path in model_files(directory) if path.name in wanted or path.suffix == ".tiktoken"]


def read_gguf(path: Path) -> GgufHeader:
    """The header of a file. Raises ``UserError`` if it is no GGUF file, damaged or cut off."""
    total = path.stat().st_size
    with open(path, "rb") as file:
        start = file.read(4)
        if start != _MAGIC:
            raise UserError(f"{path}: not a GGUF file (it begins with {start!r}); give a file of llama.cpp's format")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                header, needed = _parse(path, content)
            except (struct.error, IndexError):
                raise UserError(f"{path}: cut off within its header ({total} bytes); {_AGAIN}") from None
            except (UnicodeDecodeError, OverflowError) as error:
                raise UserError(f"{path}: damaged header ({error}); {_AGAIN}") from None
    if total < needed:
        raise UserError(f"{path}: cut off: its tensors end at byte {needed}, the file at {total}; {_AGAIN}")
    return header


def _parse(path: Path, content: mmap.mmap) -> tuple[GgufHeader, int]:
    """The header, and the number of bytes that the file must have."""
    version, n_tensors, n_metadata = struct.unpack_from("<IQQ", content, 4)
    if version not in _VERSIONS:
        raise UserError(f"{path}: GGUF of version {version}; convert it anew with llama.cpp, which writes version 3")
    place, metadata = 24, {}
    for _ in range(n_metadata):
        key, place = _string(content, place)
        (kind,) = struct.unpack_from("<I", content, place)
        metadata[key], place = _value(path, content, place + 4, kind)
    tensors, ends = [], []
    for _ in range(n_tensors):
        name, place = _string(content, place)
        (dimensions,) = struct.unpack_from("<I", content, place)
        sizes = struct.unpack_from(f"<{dimensions}Q", content, place + 4)
        place += 4 + 8 * dimensions
        kind, offset = struct.unpack_from("<IQ", content, place)
        place += 12
        tensor = GgufTensor(name, tuple(reversed(sizes)), kind)
        tensors.append(tensor)
        ends.append(offset + _bytes(path, tensor))
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or alignment < 1:
        raise UserError(f"{path}: general.alignment is {alignment!r}; {_AGAIN}")
    data = math.ceil(place / alignment) * alignment
    return GgufHeader(path, metadata, tuple(tensors)), data + max(ends, default=0)


def _string(content: mmap.mmap, place: int) -> tuple[str, int]:
    """A string, and where it ends."""
    end = place + 8 + _LENGTH.unpack_from(content, place)[0]
    if end > len(content):
        raise IndexError
    return content[place + 8 : end].decode("utf-8"), end


def _value(path: Path, content: mmap.mmap, place: int, kind: int) -> tuple[Any, int]:
    """A value of the metadata, of an array its length, and where it ends."""
    if kind == _STRING:
        return _string(content, place)
    if kind in _SCALARS:
        format = f"<{_SCALARS[kind]}"
        return struct.unpack_from(format, content, place)[0], place + struct.calcsize(format)
    if kind != _ARRAY:
        raise UserError(f"{path}: damaged header (a value of type {kind}); {_AGAIN}")
    element, count = struct.unpack_from("<IQ", content, place)
    place += 12
    if element in _SCALARS:
        return count, place + count * struct.calcsize(f"<{_SCALARS[element]}")
    if element != _STRING:
        raise UserError(f"{path}: damaged header (an array of type {element}); {_AGAIN}")
    # A vocabulary, of up to some 100,000 words: this is most of the time.
    for _ in range(count):
        place += 8 + _LENGTH.unpack_from(content, place)[0]
    return count, place


def _bytes(path: Path, tensor: GgufTensor) -> int:
    """The bytes of a tensor. Raises ``UserError`` if they cannot be turned into numbers."""
    if tensor.type not in TYPES:
        raise UserError(
            f"{path}: tensor {tensor.name} has type {tensor.type} of ggml, which cannot be dequantised here; choose "
            "another quantisation of the model, Q8_0 or Q4_K_M for example"
        )
    name, elements, size = TYPES[tensor.type]
    if not tensor.shape or tensor.shape[-1] % elements:
        raise UserError(f"{path}: tensor {tensor.name} of shape {tensor.shape} is no {name}; {_AGAIN}")
    return math.prod(tensor.shape) // elements * size


def check_gguf(header: GgufHeader, own_tokenizer: bool) -> None:
    """Raise ``UserError`` if a study cannot use the model in the file as it is.

    ``own_tokenizer`` says that its tokenizer comes from the file.
    """
    for problem in _problems(header, own_tokenizer):
        raise UserError(f"{header.path}: {problem}")


def _problems(header: GgufHeader, own_tokenizer: bool) -> Iterator[str]:
    """What is wrong and what to do."""
    metadata = header.metadata
    if _PART.search(header.path.name) or metadata.get("split.count") not in (None, 0, 1):
        yield "one part of a model in several files; join them (llama-gguf-split --merge), or choose a whole file"
    if "general.architecture" not in metadata:
        yield "names no general.architecture; it holds no language model"
    if header.architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        yield f"its architecture is {header.architecture}, which cannot be read from GGUF; choose one of {known}"
    if not any(tensor.name == "token_embd.weight" and len(tensor.shape) == 2 for tensor in header.tensors):
        yield "has no token_embd.weight; it holds no language model (a projector or an adapter?)"
    scaling = metadata.get(f"{header.architecture}.rope.scaling.type", "none")
    # Older files name a factor alone, which llama.cpp takes as linear.
    for key in ("rope.scaling.factor", "rope.scale_linear"):
        if scaling == "none" and metadata.get(f"{header.architecture}.{key}") not in (None, 0, 1):
            scaling = f"linear, by {key}"
    factors = next((tensor.name for tensor in header.tensors if tensor.name.startswith("rope_f")), None)
    # transformers reads neither, except the first of gpt-oss.
    if factors or (scaling != "none" and header.architecture != "gpt-oss"):
        what = f"tensor {factors}" if factors else f"rope.scaling.type {scaling}"
        yield (
            f"stretches its positions ({what}), which transformers does not read from GGUF: texts would differ; import "
            "the model from its folder or from the hub"
        )
    if own_tokenizer:
        kind = metadata.get("tokenizer.ggml.model")
        if not metadata.get("tokenizer.ggml.tokens") or kind not in TOKENIZERS:
            found = "has no tokenizer" if kind in (None, "none", "no_vocab") else f"has a tokenizer of kind {kind!r}"
            yield (
                f"{found}, and transformers makes one of {', '.join(TOKENIZERS)} only; give the folder of the model's "
                "tokenizer as tokenizer_directory"
            )
