"""Damaged model folders are noticed by whatever loads them."""

import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import xxhash
from transformers import AutoModelForCausalLM

from lm_interpolation.analyses.geometry import weight_norms
from lm_interpolation.jobs.checksums import Reader, check_files, check_model, checked_reader, write_checksums
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.importing import import_model
from lm_interpolation.models.loading import load_model
from lm_interpolation.models.model_folders import check_folder
from lm_interpolation.models.special_tokens import describe_folder
from lm_interpolation.models.tokenizer_training import train_tokenizer
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.merging import merge
from lm_interpolation.texts.ensembles import load_members
from lm_interpolation.texts.language_models import load_language_model
from lm_interpolation.texts.lengths import open_readers


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> dict[str, Path]:
    """Two equal models that the workflow wrote."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("one", "two"):
        import_model(str(tiny_gpt2), None, "language-model", folder / name)
    return {name: folder / name for name in ("one", "two")}


def test_checksums_by_hand(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"weights")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"")
    for _ in range(2):  # the second time the file is there already
        write_checksums(tmp_path)
        assert json.loads((tmp_path / "checksums.json").read_text()) == {
            "b": [7, xxhash.xxh3_128_hexdigest(b"weights")],
            "inner/a": [0, xxhash.xxh3_128_hexdigest(b"")],
        }
    check_files(tmp_path)
    # Snakemake puts a file of its own into a folder that is an output.
    (tmp_path / ".snakemake_timestamp").touch()
    check_files(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.unlink(), "missing"),
        (lambda file: file.write_bytes(b"weight"), r"damaged \(6 bytes instead of 7\)"),
        (lambda file: file.write_bytes(b"weighty"), r"damaged \(its bytes do not match the digest in checksums.json\)"),
    ],
)
def test_what_is_wrong_is_named(damage: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    model = tmp_path / "base"
    model.mkdir()
    (model / "model.safetensors").write_bytes(b"weights")
    write_checksums(model)
    damage(model / "model.safetensors")
    with pytest.raises(UserError, match=rf"^{model}/model.safetensors: {message}; delete {model} and run again$"):
        check_model(model)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 20, b"[1]", b'{"a": 1}', b'{"a": [1]}', b'{"a": ["x", "y"]}', b"\xff"]
)
def test_damaged_checksums(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checksums.json").write_bytes(content)
    with pytest.raises(UserError, match=r"checksums\.json: damaged \(not a list of checksums\); delete .* run again$"):
        check_model(tmp_path)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname"])
def test_checksums_lead_to_nothing_outside(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "checksums.json").write_text(json.dumps({name: [1, "0" * 32]}))
    with pytest.raises(UserError, match=rf"damaged \(lists {name}, which lies elsewhere\)"):
        check_files(tmp_path / "model")


def test_a_folder_of_others_is_noted(tiny_gpt2: Path, capfd: pytest.CaptureFixture[str]) -> None:
    check_model(tiny_gpt2)
    assert capfd.readouterr().err == (
        f"{tiny_gpt2}: has no checksums.json (made by an older version, or by hand); read unchecked\n"
    )


def test_all_that_the_workflow_writes_has_checksums(models: dict[str, Path], tmp_path: Path) -> None:
    train_tokenizer(["a film"] * 9, 257, tmp_path / "tokenizer")
    merge(Point.of({"one": 0.5, "two": 0.5}), models, tmp_path / "merged")
    for folder in (models["one"], tmp_path / "tokenizer", tmp_path / "merged"):
        files = {path.name for path in folder.iterdir()}
        assert set(json.loads((folder / "checksums.json").read_text())) == files - {"checksums.json"}
        check_model(folder)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file of a model folder with digests."""
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / "model.safetensors"
    file.write_bytes(bytes(range(100)))
    write_checksums(file.parent)
    return file


@pytest.mark.parametrize("starts", [range(0, 100, 10), range(90, -1, -10), (30, 10, 30, 40, 90), ()])
def test_weights_are_checked_in_whatever_order_they_are_read(starts: Sequence[int], weights: Path) -> None:
    def read_all() -> None:
        with checked_reader(weights.parent) as read:
            for start in starts:
                buffer = bytearray(10)
                read(weights, start, memoryview(buffer))
                assert (start <= 35 < start + 10) or bytes(buffer) == bytes(range(start, start + 10))

    read_all()
    weights.write_bytes(weights.read_bytes().replace(b"\x23", b"\x24"))
    with pytest.raises(UserError, match=rf"^{weights}: damaged .its bytes do not match"):
        read_all()


@pytest.mark.parametrize("damaged", [False, True])
def test_threads_read_together(weights: Path, damaged: bool) -> None:
    """One reads ahead, as merging under a method does; the digest is still that of the file."""
    content = bytes(range(256)) * 400
    weights.write_bytes(content)
    write_checksums(weights.parent)
    if damaged:
        weights.write_bytes(content[:-1] + b"?")

    def read_some(read: Reader, offset: int) -> None:
        for start in range(offset, len(content) - 700, 500):
            buffer = bytearray(700)
            read(weights, start, memoryview(buffer))
            assert bytes(buffer) == content[start : start + 700]

    def read_all() -> None:
        with checked_reader(weights.parent) as read, ThreadPoolExecutor(4) as threads:
            for job in [threads.submit(read_some, read, offset) for offset in (0, 3, 250, 2000)]:
                job.result()

    if damaged:
        with pytest.raises(UserError, match=r"damaged .its bytes do not match"):
            read_all()
    else:
        read_all()


def test_damage_explains_an_error(weights: Path) -> None:
    def fail() -> None:
        with checked_reader(weights.parent):
            raise UserError("the tensor holds NaN")

    with pytest.raises(UserError, match="holds NaN"):
        fail()
    weights.write_bytes(bytes(100))
    with pytest.raises(UserError, match=rf"^{weights}: damaged .*; delete {weights.parent} and run again$"):
        fail()


def test_a_file_that_shrinks_is_one_line(weights: Path) -> None:
    def shrink() -> None:
        with checked_reader(weights.parent) as read:
            weights.write_bytes(bytes(50))
            read(weights, 45, memoryview(bytearray(10)))

    with pytest.raises(UserError, match=rf"^{weights}: "):
        shrink()


LOADERS: dict[str, Callable[[dict[str, Path], Path], object]] = {
    "merge": lambda models, folder: merge(Point.of({"one": 0.5, "two": 0.5}), models, folder / "merged"),
    "norms": lambda models, folder: weight_norms([("pair", "one", models["one"], "two", models["two"])]),
    "generation": lambda models, folder: load_language_model(models["two"], "cpu"),
    "scoring": lambda models, folder: load_model(AutoModelForCausalLM, models["two"], "cpu"),
    "in memory": lambda models, folder: WeightSpace(models),
    "ensemble": lambda models, folder: load_members(models),
}


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "generation_config.json"])
def test_a_folder_of_ours_that_lacks_a_file_is_to_be_made_again(
    file: str, loader: Callable[[dict[str, Path], Path], object], models: dict[str, Path], tmp_path: Path
) -> None:
    own = {name: Path(shutil.copytree(path, tmp_path / name)) for name, path in models.items()}
    (own["two"] / file).unlink()
    with pytest.raises(UserError, match=rf"^{own['two'] / file}: missing; delete {own['two']} and run again$"):
        loader(own, tmp_path)


def test_a_tokenizer_of_ours_that_lacks_its_file_is_to_be_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    train_tokenizer(["a film"] * 9, 257, folder)
    (folder / "tokenizer.json").unlink()
    entry = {"name": "model base", "context": 32, "reserve": 0}
    for use in (lambda: describe_folder(folder), lambda: open_readers([entry], [folder])):
        with pytest.raises(UserError, match=rf"^{folder}/tokenizer.json: missing; delete {folder} and run again$"):
            use()


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json"])
def test_a_folder_that_is_given_is_to_be_copied_again(file: str, models: dict[str, Path], tmp_path: Path) -> None:
    """Whoever imports a model of ours does not want to be told to delete it."""
    source = Path(shutil.copytree(models["one"], tmp_path / "source"))
    (source / file).unlink()
    told = rf"^{source}/{file}: missing; copy the model again$"
    with pytest.raises(UserError, match=told):
        check_folder(source, "language-model")
    with pytest.raises(UserError, match=told):
        import_model(str(source), None, "language-model", tmp_path / "model")


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "generation_config.json"])
def test_a_flipped_bit_is_found_before_a_model_is_used(
    file: str, loader: Callable[[dict[str, Path], Path], object], models: dict[str, Path], tmp_path: Path
) -> None:
    own = {name: Path(shutil.copytree(path, tmp_path / name)) for name, path in models.items()}
    loader(own, tmp_path)
    shutil.rmtree(tmp_path / "merged", ignore_errors=True)
    path = own["two"] / file
    content = bytearray(path.read_bytes())
    # Among the weights; within a number or a word of JSON.
    content[content.rindex(b"0" if file == "config.json" else b"t") if file.endswith("json") else -7] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{path}: damaged .*; delete {own['two']} and run again$"):
        loader(own, tmp_path)
    assert not list(tmp_path.glob("*merged*"))


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
def test_a_truncated_model_is_one_line(
    loader: Callable[[dict[str, Path], Path], object], models: dict[str, Path], tmp_path: Path
) -> None:
    own = {name: Path(shutil.copytree(path, tmp_path / name)) for name, path in models.items()}
    path = own["two"] / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=rf"^{path}: damaged .*; delete {own['two']} and run again$"):
        loader(own, tmp_path)
