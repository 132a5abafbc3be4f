"""Damaged Parquet files are noticed."""

import random
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lm_interpolation.data.parquet import read_parquet, write_parquet
from lm_interpolation.jobs.runtime import UserError

TABLE = pa.table(
    {
        "point": pa.array(["base=1", "positive=1"] * 25).dictionary_encode(),
        "row": pa.array(range(50), pa.int64()),
        "text": [f"text {k}" for k in range(50)],
        "score": pa.array([None, *(k / 7 for k in range(49))], pa.float32()),
    }
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_parquet(TABLE, tmp_path / "table.parquet", compression="zstd")
    return tmp_path / "table.parquet"


def damaged(path: Path, reason: str) -> str:
    return rf"^{path}: damaged \({reason}\); delete it and run again$"


def test_what_was_written_is_read(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert read_parquet(path).equals(TABLE, check_metadata=True)
    assert read_parquet(path, ["score", "row"]).equals(TABLE.select(["score", "row"]))
    pd.testing.assert_frame_equal(read_parquet(path).to_pandas(), pd.read_parquet(path))
    assert capfd.readouterr().err == ""


def test_other_readers_take_it_as_any_other_file(path: Path) -> None:
    assert pq.read_table(path, page_checksum_verification=True).equals(TABLE)
    assert pq.read_metadata(path).row_group(0).column(0).compression == "ZSTD"


def test_equal_tables_are_equal_files(path: Path, tmp_path: Path) -> None:
    write_parquet(read_parquet(path), tmp_path / "again.parquet", compression="zstd")
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


def test_one_flipped_bit_is_noticed_or_harmless(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content = path.read_bytes()
    # All of the footer, where a flipped bit may give a file that is valid, and half of the pages.
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    generator = random.Random(0)
    places = [*range(footer, len(content)), *generator.sample(range(footer), footer // 2)]
    harmless = 0
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            assert read_parquet(path).equals(TABLE)
            harmless += 1
        except UserError as error:
            assert str(error).startswith(f"{path}: damaged (") and "\n" not in str(error)
    # In the name under which the digest is stored: the file counts as one without.
    assert harmless == len("lm-interpolation.xxh3-128")
    assert capfd.readouterr().err.count("has no digest") >= harmless


@pytest.mark.parametrize("length", [0, 4, 100, -100, -1])
def test_a_truncated_file_is_noticed(length: int, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UserError, match=damaged(path, ".+")):
        read_parquet(path)


def test_a_flipped_bit_in_the_data_is_named(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=damaged(path, "its bytes do not match their digest")):
        read_parquet(path, ["score"])


def test_files_of_others_are_read_with_a_note(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "old.parquet"
    pq.write_table(TABLE, path)
    assert read_parquet(path).equals(TABLE)
    assert capfd.readouterr().err == (
        f"{path}: has no digest (written by an older version, or by hand); read unchecked\n"
    )
    with pytest.raises(FileNotFoundError):
        read_parquet(tmp_path / "absent.parquet")
