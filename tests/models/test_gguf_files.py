"""Headers of GGUF files, read without the package gguf; its tables and those of transformers say the same as ours."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import pytest
import transformers.integrations.gguf.gguf_tokenizer_mapping as tokenizer_mapping
from gguf import quants
from transformers.integrations.gguf import GGUF_CONFIG_ARCHS
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.gguf_files import (
    ARCHITECTURES,
    FLOATS,
    TOKENIZERS,
    TYPES,
    check_gguf,
    gguf_path,
    read_gguf,
)
from tests.gguf_models import CONTEXT, write_gguf


def line_of(path: Path, own_tokenizer: bool = True) -> str:
    """The one line with which a file is refused, without its path."""
    with pytest.raises(UserError) as caught:
        check_gguf(read_gguf(path), own_tokenizer)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("quantisation", ["F32", "Q8_0", "Q4_1"])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_header_says_what_the_package_reads(
    kind: str, quantisation: str, tmp_path: Path, tiny_tokenizer: Path
) -> None:
    path = tmp_path / "m.gguf"
    held = write_gguf(path, tiny_tokenizer, kind, quantisation)
    header, reader = read_gguf(path), gguf.GGUFReader(path)
    check_gguf(header, True)
    assert (header.architecture, header.context, header.vocabulary) == (kind, CONTEXT, 300)
    assert header.size == sum(tensor.numel() for tensor in held.values())
    told = [(str(one.name), tuple(map(int, reversed(one.shape))), int(one.tensor_type)) for one in reader.tensors]
    assert [(one.name, one.shape, one.type) for one in header.tensors] == told
    fields = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    assert header.metadata == {key: len(value) if isinstance(value, list) else value for key, value in fields.items()}


def test_the_types_are_those_of_the_package() -> None:
    readable = {*quants._type_traits, gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16}
    assert {int(type): (type.name, *gguf.GGML_QUANT_SIZES[type]) for type in readable} == TYPES
    assert set(FLOATS) <= {name for name, elements, _ in TYPES.values() if elements == 1}


def test_the_architectures_are_those_of_transformers() -> None:
    # The files' names, where those of transformers differ.
    names = {name: name.replace("_moe", "moe").replace("_", "-") for name in GGUF_SUPPORTED_ARCHITECTURES}
    models = {names[name] for name in names.keys() & MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys()}
    recurrent = {"mamba", *GGUF_CONFIG_ARCHS}
    # Files of Mistral say llama.
    assert models - recurrent - {"mistral"} == ARCHITECTURES
    assert set(gguf.MODEL_ARCH_NAMES.values()) >= ARCHITECTURES
    assert set(TOKENIZERS) == set(tokenizer_mapping.GGUF_TOKENIZER_TYPES)


def test_reading_needs_nothing_heavy() -> None:
    code = (
        "import sys, lm_interpolation.models.gguf_files; "
        "print({'torch', 'numpy', 'gguf', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_is_no_gguf_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"PK\3\4 and so on")
    assert line_of(path) == "not a GGUF file (it begins with b'PK\\x03\\x04'); give a file of llama.cpp's format"
    path.write_bytes(b"")
    assert line_of(path) == "not a GGUF file (it begins with b''); give a file of llama.cpp's format"
    path.write_bytes(b"GGUF" + bytes([1, 0, 0, 0]) + bytes(16))
    assert line_of(path) == "GGUF of version 1; convert it anew with llama.cpp, which writes version 3"


@pytest.mark.parametrize("length", [4, 23, 30, 100, 4000])
def test_a_header_that_is_cut_off_is_told(length: int, tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer)
    path = tmp_path / "cut.gguf"
    path.write_bytes((tmp_path / "m.gguf").read_bytes()[:length])
    assert line_of(path) == f"cut off within its header ({length} bytes); copy or download it again"


def test_every_byte_of_the_data_is_needed(tmp_path: Path, tiny_tokenizer: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, tiny_tokenizer, quantisation="Q8_0")
    reader = gguf.GGUFReader(path)
    end = max(int(tensor.data_offset + tensor.n_bytes) for tensor in reader.tensors)
    content = path.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(content[:end])
    read_gguf(cut)
    cut.write_bytes(content[: end - 1])
    line = f"cut off: its tensors end at byte {end}, the file at {end - 1}; copy or download it again"
    assert line_of(cut) == line


def test_damage_is_told(tmp_path: Path, tiny_tokenizer: Path) -> None:
    path, copy = tmp_path / "m.gguf", tmp_path / "damaged.gguf"
    write_gguf(path, tiny_tokenizer)
    content = path.read_bytes()
    copy.write_bytes(content.replace(b"general.architecture", b"general.architectur\xff", 1))
    assert line_of(copy).startswith("damaged header ('utf-8' codec can't decode byte 0xff")
    # The type of the first value.
    copy.write_bytes(content.replace(b"general.architecture\x08", b"general.architecture\x63", 1))
    assert line_of(copy) == "damaged header (a value of type 99); copy or download it again"
    # A string longer than any file.
    place = content.index(b"general.architecture") + len("general.architecture") + 4
    copy.write_bytes(content[:place] + b"\xff" * 8 + content[place + 8 :])
    assert line_of(copy) == f"cut off within its header ({len(content)} bytes); copy or download it again"


def retyped(path: Path, name: str, type: int) -> None:
    """Give a tensor of two dimensions another type."""
    content = bytearray(path.read_bytes())
    place = content.index(name.encode()) + len(name) + 4 + 16
    content[place] = type
    path.write_bytes(content)


@pytest.mark.parametrize("type", [9, 41, 200])
def test_a_type_that_cannot_be_read_is_told(type: int, tmp_path: Path, tiny_tokenizer: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, tiny_tokenizer)
    retyped(path, "blk.0.attn_q.weight", type)
    assert line_of(path) == (
        f"tensor blk.0.attn_q.weight has type {type} of ggml, which cannot be dequantised here; choose another "
        "quantisation of the model, Q8_0 or Q4_K_M for example"
    )


def test_blocks_fit_into_rows(tmp_path: Path, tiny_tokenizer: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, tiny_tokenizer)
    # Q6_K has blocks of 256 elements.
    retyped(path, "blk.0.attn_q.weight", 14)
    assert line_of(path) == "tensor blk.0.attn_q.weight of shape (32, 32) is no Q6_K; copy or download it again"


@pytest.mark.parametrize(
    ("metadata", "line"),
    [
        (
            {"split__count": 3},
            "one part of a model in several files; join them (llama-gguf-split --merge), or choose a",
        ),
        (
            {"general__architecture": "rwkv6"},
            "its architecture is rwkv6, which cannot be read from GGUF; choose one of",
        ),
        ({"tokenizer__ggml__model": None}, "has no tokenizer, and transformers makes one of gpt2, llama, t5, gemma4"),
        ({"tokenizer__ggml__tokens": None}, "has a tokenizer of kind 'gpt2'"),
        ({"tokenizer__ggml__model": "bert"}, "has a tokenizer of kind 'bert', and transformers makes one of"),
        (
            {"llama__rope__scaling__factor": 8.0},
            "stretches its positions (rope.scaling.type linear, by rope.scaling.factor), which transformers",
        ),
        (
            {"llama__rope__scaling__type": "yarn"},
            "stretches its positions (rope.scaling.type yarn), which transformers",
        ),
        ({"extra_tensors": ["rope_freqs.weight"]}, "stretches its positions (tensor rope_freqs.weight), which"),
    ],
)
def test_what_a_study_cannot_use_is_told(
    metadata: dict[str, Any], line: str, tmp_path: Path, tiny_tokenizer: Path
) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, tiny_tokenizer, **metadata)
    assert line_of(path).startswith(line)
    if any("tokenizer" in key for key in metadata):
        check_gguf(read_gguf(path), False)


def test_a_part_is_known_by_its_name(tmp_path: Path, tiny_tokenizer: Path) -> None:
    path = tmp_path / "big-00002-of-00003.gguf"
    write_gguf(path, tiny_tokenizer)
    assert line_of(path).startswith("one part of a model in several files")


def test_positions_that_are_not_stretched(tmp_path: Path, tiny_tokenizer: Path) -> None:
    write_gguf(tmp_path / "m.gguf", tiny_tokenizer, llama__rope__scaling__type="none")
    check_gguf(read_gguf(tmp_path / "m.gguf"), True)


def test_a_file_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"^{tmp_path}/no: no such directory; give the one that m.gguf lies in$"):
        gguf_path(tmp_path / "no", "m.gguf")
    with pytest.raises(UserError, match=rf"^{tmp_path}: no file m.gguf; it has no GGUF file: correct gguf_file$"):
        gguf_path(tmp_path, "m.gguf")
    for number in range(7):
        (tmp_path / f"{number}.gguf").touch()
    words = "it has 0.gguf, 1.gguf, 2.gguf, 3.gguf, 4.gguf and 2 more: correct gguf_file"
    with pytest.raises(UserError, match=f"^{tmp_path}: no file m.gguf; {words}$"):
        gguf_path(tmp_path, "m.gguf")
    (tmp_path / "m.gguf").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    with pytest.raises(UserError, match=r"m.gguf: a pointer of Git LFS in place of the data; fetch the real file"):
        gguf_path(tmp_path, "m.gguf")
    (tmp_path / "n.gguf").mkdir()
    with pytest.raises(UserError, match=r"n.gguf: not a file; correct gguf_file$"):
        gguf_path(tmp_path, "n.gguf")
