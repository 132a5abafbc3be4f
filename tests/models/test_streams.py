"""Streams of blocks: which tokens come in which order for which process, and where a stream resumes."""

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

import tests.models.test_training as training_tests
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.blocks import pack
from lm_interpolation.models.streams import Position, Stream, StreamLoader, TokenStream
from tests.local_shards import LocalShards

ROOT = Path(__file__).parents[2]
LENGTH = 8


@pytest.fixture(scope="module")
def tokenizer(tiny_tokenizer: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_tokenizer)


def documents(shard: int, count: int = 7) -> list[str]:
    # Of different lengths, one of them empty and one of several blocks.
    texts = training_tests.sentences(count, length=6, seed=shard)
    return ["", " ".join(texts), *texts[2:]]


def write(path: Path, lines: Sequence[Any]) -> Path:
    data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def shards(tmp_path: Path) -> LocalShards:
    """Three files, one of them not compressed, of 7 documents each."""
    names = ("a.jsonl.gz", "b.jsonl", "c.jsonl.gz")
    return LocalShards(
        [write(tmp_path / name, [{"text": text} for text in documents(k)]) for k, name in enumerate(names)]
    )


def take(stream: TokenStream, count: int) -> list[list[int]]:
    return [block["input_ids"].tolist() for block in islice(stream, count)]


def order_of(stream: TokenStream) -> list[int]:
    return stream._shards


def test_blocks_are_the_packed_texts_again_and_again(shards: LocalShards, tokenizer: Any) -> None:
    stream = TokenStream(Stream(shards), tokenizer, LENGTH, seed=3)
    order = order_of(stream)
    assert sorted(order) == [0, 1, 2]
    texts = [text for shard in order for text in documents(shard)]
    expected = pack(texts * 3, tokenizer, LENGTH)[0]
    # More than two epochs: the end of an epoch does not end a block.
    assert len(expected) > 60 and len(pack(texts, tokenizer, LENGTH)[0]) * 3 < len(expected)
    assert take(stream, len(expected)) == expected.tolist()
    first = next(iter(stream))
    assert {key: (value.dtype, value.shape) for key, value in first.items()} == {
        "input_ids": (torch.int64, (LENGTH,)),
        "labels": (torch.int64, (LENGTH,)),
        "attention_mask": (torch.int64, (LENGTH,)),
        "end": (torch.int64, (4,)),
    }
    assert torch.equal(first["labels"], first["input_ids"]) and first["attention_mask"].tolist() == [1] * LENGTH


def test_the_seed_orders_the_files(tmp_path: Path, tokenizer: Any) -> None:
    many = LocalShards([write(tmp_path / f"{k}.jsonl", [{"text": "x"}]) for k in range(20)])
    orders = [order_of(TokenStream(Stream(many), tokenizer, LENGTH, seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == list(range(20))
    shares = [order_of(TokenStream(Stream(many), tokenizer, LENGTH, 1, rank, 3)) for rank in range(3)]
    assert shares == [orders[0][rank::3] for rank in range(3)]


def test_processes_read_different_files(shards: LocalShards, tokenizer: Any) -> None:
    order = order_of(TokenStream(Stream(shards), tokenizer, LENGTH, seed=3))
    for rank, files in ((0, [order[0], order[2]]), (1, [order[1]])):
        texts = [text for shard in files for text in documents(shard)] * 2
        expected = pack(texts, tokenizer, LENGTH)[0].tolist()
        assert take(TokenStream(Stream(shards), tokenizer, LENGTH, 3, rank, 2), len(expected)) == expected


def test_with_fewer_files_than_processes_documents_are_dealt_out(shards: LocalShards, tokenizer: Any) -> None:
    order = order_of(TokenStream(Stream(shards), tokenizer, LENGTH, seed=3))
    for rank in range(4):
        texts = [text for shard in order for text in documents(shard)[rank::4]] * 2
        expected = pack(texts, tokenizer, LENGTH)[0].tolist()
        assert take(TokenStream(Stream(shards), tokenizer, LENGTH, 3, rank, 4), len(expected)) == expected


@pytest.mark.parametrize(("rank", "processes"), [(0, 1), (1, 2), (2, 4)])
def test_a_stream_goes_on_at_any_block(rank: int, processes: int, shards: LocalShards, tokenizer: Any) -> None:
    options = (Stream(shards), tokenizer, LENGTH, 3, rank, processes)
    whole = list(islice(TokenStream(*options), 70))
    blocks = [block["input_ids"].tolist() for block in whole]
    epochs = {int(block["end"][0]) for block in whole}
    assert len(epochs) > 1
    for done in range(1, 60):
        rest = TokenStream(*options)
        rest.start = Position(*whole[done - 1]["end"].tolist())
        assert take(rest, 10) == blocks[done : done + 10], done


def test_a_file_is_fetched_when_it_is_reached_and_not_read_again(shards: LocalShards, tokenizer: Any) -> None:
    fetched: list[int] = []

    class Lazy:
        def __len__(self) -> int:
            return 3

        def path(self, index: int) -> Path:
            fetched.append(index)
            return shards.path(index)

    stream = TokenStream(Stream(Lazy()), tokenizer, LENGTH, seed=3)
    order = order_of(stream)
    one = len(pack(documents(order[0]), tokenizer, LENGTH)[0])
    assert not fetched
    take(stream, one)
    assert fetched == order[:1]
    *_, last = islice(stream, one + 2)
    assert fetched == [order[0], order[0], order[1]]
    fetched.clear()
    stream.start = Position(*last["end"].tolist())
    take(stream, 1)
    assert fetched == [order[1]]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_knows_where_the_next_batch_starts(
    workers: int, shards: LocalShards, tokenizer: Any, tmp_path: Path
) -> None:
    def loader() -> StreamLoader:
        return StreamLoader(TokenStream(Stream(shards), tokenizer, LENGTH, seed=3), 4, workers)

    one = loader()
    state = torch.get_rng_state()
    batches = list(islice(one, 3))
    # What decides on dropout is left alone, although workers read ahead.
    assert torch.equal(torch.get_rng_state(), state)
    assert one.batches == 3 and all(batch.keys() == {"input_ids", "labels", "attention_mask"} for batch in batches)
    assert batches[0]["input_ids"].shape == (4, LENGTH)
    one.save(tmp_path / "position.json")
    two = loader()
    two.load(tmp_path / "position.json")
    blocks = take(TokenStream(Stream(shards), tokenizer, LENGTH, seed=3), 20)
    assert next(iter(two))["input_ids"].tolist() == blocks[12:16]


def test_a_dotted_field(tmp_path: Path, tokenizer: Any) -> None:
    path = write(tmp_path / "a.jsonl", [{"prompt": {"text": "the film"}, "a.b": "x"}])
    ids = [*tokenizer.encode("the film"), 0]
    assert take(TokenStream(Stream(LocalShards([path]), "prompt.text"), tokenizer, len(ids), 1), 1) == [ids]
    ids = [*tokenizer.encode("x"), 0]
    assert take(TokenStream(Stream(LocalShards([path]), "a.b"), tokenizer, len(ids), 1), 1) == [ids]


def test_texts_are_split_at_line_feeds_only(tmp_path: Path, tokenizer: Any) -> None:
    text = "a\u2028b\x0cc"
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps({"text": text}, ensure_ascii=False).replace("\\f", "\\u000c").encode() + b"\r\n \n")
    ids = [*tokenizer.encode(text), 0]
    assert take(TokenStream(Stream(LocalShards([path])), tokenizer, len(ids), 1), 2) == [ids, ids]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"text": "x"', r"a\.jsonl:2: malformed JSON, .*; fix the line"),
        (b'{"text": "\xff"}', r"a\.jsonl:2: malformed JSON, .*utf-8"),
        (b'{"body": "x"}', r"a\.jsonl:2: no column 'text'; the line has body"),
        (b'["x"]', r"a\.jsonl:2: not a JSON object but list"),
        (b'{"text": 3}', r"a\.jsonl:2: the text is 3, not a string; fix or drop the row"),
        (b'{"text": "\\ud83d"}', r"a\.jsonl:2: half of a surrogate pair \(\\ud83d\)"),
    ],
)
def test_bad_lines(line: bytes, message: str, tmp_path: Path, tokenizer: Any) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "x"}\n' + line + b"\n")
    stream = TokenStream(Stream(LocalShards([tmp_path / "a.jsonl"])), tokenizer, LENGTH, 1)
    with pytest.raises(UserError, match=message):
        take(stream, 1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_mistake_found_by_a_worker_is_one_line(workers: int, tmp_path: Path, tokenizer: Any) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": 3}\n')
    stream = TokenStream(Stream(LocalShards([tmp_path / "a.jsonl"])), tokenizer, LENGTH, 1)
    with pytest.raises(UserError) as caught:
        next(iter(StreamLoader(stream, batch_size=1, workers=workers)))
    assert str(caught.value) == f"{tmp_path}/a.jsonl:1: the text is 3, not a string; fix or drop the row"


def test_broken_files(tmp_path: Path, shards: LocalShards, tokenizer: Any) -> None:
    path = shards.path(0)
    path.write_bytes(path.read_bytes()[:-10])
    stream = TokenStream(Stream(shards), tokenizer, LENGTH, 1)
    with pytest.raises(UserError, match=r"a\.jsonl\.gz: not a whole gzip file \(.*\); fetch it again"):
        take(stream, 100)
    with pytest.raises(UserError, match=r"gone\.jsonl: no such file"):
        take(TokenStream(Stream(LocalShards([tmp_path / "gone.jsonl"])), tokenizer, LENGTH, 1), 1)


@pytest.mark.parametrize(("lines", "processes"), [([], 1), ([{"text": "x"}], 2)])
def test_a_process_without_texts(lines: list[Any], processes: int, tmp_path: Path, tokenizer: Any) -> None:
    path = write(tmp_path / "a.jsonl", lines)
    stream = TokenStream(Stream(LocalShards([path])), tokenizer, LENGTH, 1, processes - 1, processes)
    with pytest.raises(UserError, match=r"no texts for one of its processes \(.*a\.jsonl was the last file"):
        take(stream, 1)


def test_no_files_and_no_end_of_text(shards: LocalShards, tiny_tokenizer: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_tokenizer)
    with pytest.raises(UserError, match=r"has no files"):
        TokenStream(Stream(LocalShards([])), tokenizer, LENGTH, 1)
    tokenizer.eos_token = None
    with pytest.raises(UserError, match=r"no end-of-text"):
        TokenStream(Stream(shards), tokenizer, LENGTH, 1)


# --- training on a stream


@pytest.mark.parametrize("micro_batch", [None, 2])
def test_training_on_a_stream_is_training_on_its_blocks(
    micro_batch: int | None, shards: LocalShards, tokenizer: Any, tiny_gpt2: Path, tmp_path: Path
) -> None:
    values = {"train": Stream(shards), "start": tiny_gpt2, "steps": 6, "log_steps": 1, "micro_batch": micro_batch}
    training_tests.train(tmp_path, **values)
    blocks = np.array(take(TokenStream(Stream(shards), tokenizer, 16, seed=1), 24)).reshape(6, 4, 16)
    rows = [row for row in training_tests.curve(tmp_path) if row["split"] == "train"]
    # The first step has the learning rate 0.
    for row, batch in zip(rows[:2], blocks, strict=False):
        model = training_tests.AutoModelForCausalLM.from_pretrained(tiny_gpt2)
        ids = torch.from_numpy(batch)
        assert float(row["loss"]) == pytest.approx(model(ids, labels=ids).loss.item(), rel=1e-5)
    result = training_tests.metrics(tmp_path)
    assert result["seen_tokens"] == 6 * 4 * 16
    assert "train_texts" not in result and "train_tokens" not in result
    assert result["dev_loss"] == pytest.approx(training_tests.nll(tmp_path / "model", training_tests.DEV), rel=1e-6)


@pytest.mark.parametrize(("step", "micro_batch"), [(7, None), (14, 2), (20, 1)])
def test_an_interrupted_training_on_a_stream(
    step: int,
    micro_batch: int | None,
    shards: LocalShards,
    tiny_tokenizer: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With dropout, and more than an epoch of the files."""
    values = {"train": Stream(shards), "tokenizer": tiny_tokenizer, "micro_batch": micro_batch}
    whole = training_tests.train(tmp_path / "whole", **values)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        training_tests.interrupt(patch, step)
        training_tests.train(tmp_path / "stopped", **values)
    last = step // 5 * 5
    assert (tmp_path / f"stopped/scratch/checkpoint-{last}/stream-0.json").exists()
    steps = training_tests.count_steps(monkeypatch)
    stopped = training_tests.train(tmp_path / "stopped", **values)
    assert steps == list(range(last, 22))
    assert training_tests.outputs(stopped) == training_tests.outputs(whole)


def test_a_sigterm_to_all_processes_leaves_the_reader_alive(shards: LocalShards, tokenizer: Any) -> None:
    """As SLURM sends it: a training must still get the batches of the step that it is in."""
    loader = StreamLoader(TokenStream(Stream(shards), tokenizer, LENGTH, 1), batch_size=1, workers=1)
    batches = iter(loader)
    next(batches)
    (reader,) = loader._reader._workers
    os.kill(reader.pid, signal.SIGTERM)
    for _ in range(20):
        next(batches)
    assert reader.is_alive()
    loader.close()
    assert not reader.is_alive() and reader.exitcode == 0
    loader.close()


def test_a_reader_ends_with_its_process(shards: LocalShards, tiny_tokenizer: Path) -> None:
    """Even where an error keeps the loader alive to the end."""
    code = f"""
import multiprocessing
from pathlib import Path
from transformers import AutoTokenizer
from tests.local_shards import LocalShards
from lm_interpolation.models.streams import Stream, StreamLoader, TokenStream
shards = LocalShards([Path({str(shards.path(0))!r})])
stream = TokenStream(Stream(shards), AutoTokenizer.from_pretrained({str(tiny_tokenizer)!r}), 8, 1)
loader = StreamLoader(stream, 1, workers=1)
for batch in loader:
    print(multiprocessing.active_children()[0].pid, flush=True)
    raise ValueError
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "ValueError" in done.stderr
    assert not Path(f"/proc/{done.stdout.strip()}").exists()
