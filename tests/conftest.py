"""Shared fixtures: one thread, no network, and a tiny tokenizer and language model to copy or to train further."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lm_interpolation.jobs.warm import launching as warm

# The package of this checkout, for child processes: an installed one may be of another.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parents[1] / "src"), os.environ.get("PYTHONPATH")])
)
# Set before any test imports torch or transformers, which read them on import. Child processes inherit them.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

# The same examples in every run: what one machine finds, another finds too.
settings.register_profile("suite", max_examples=25, deadline=None, derandomize=True, database=None)
settings.load_profile("suite")

END_OF_TEXT = "<|endoftext|>"

# With several workers these start first, so that none of them is left alone with a long one at the end.
LONGEST = (
    "whole/test_workflow.py",
    "jobs/test_records.py",
    "whole/test_paper.py",
    "models/test_training.py",
    "jobs/test_manifest.py",
    "commands/test_resume.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first."""
    items.sort(key=lambda item: LONGEST.index(_file(item)) if _file(item) in LONGEST else len(LONGEST))


def _file(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


@pytest.fixture(scope="session")
def warm_launcher() -> str:
    """Path of a Python whose programs start with the heavy packages imported (see ``jobs/warm``)."""
    return str(warm.install(nested=True))


@pytest.fixture(scope="module")
def warm_python(warm_launcher: str) -> Iterator[None]:
    """Let ``sys.executable`` be that Python, for the Snakemakes of a module of tests and for their jobs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", warm_launcher)
        yield


@pytest.fixture(scope="session")
def tiny_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a byte-level BPE tokenizer with 300 tokens; id 0 ends a text and pads a batch."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    text = "the film was good but the plot was bad and the end of the film was not fine, as everybody had expected"
    tokenizer.train_from_iterator([text], trainer)
    assert tokenizer.get_vocab_size() == 300
    directory = tmp_path_factory.mktemp("tiny") / "tokenizer"
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT, pad_token=END_OF_TEXT
    ).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: Path) -> Path:
    """Directory of a random GPT-2 (1 layer, 16 dimensions, context 32, no dropout) with the tiny tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    sizes = {"n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 32, "vocab_size": 300}
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", **sizes, **dropout, **ids))
    directory = tmp_path_factory.mktemp("tiny") / "gpt2"
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(tiny_tokenizer).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> Path:
    """Folder of a built study (see ``built_study``)."""
    from tests import built_study

    folder = tmp_path_factory.mktemp("built")
    built_study.build(folder, tiny_gpt2)
    return folder


@pytest.fixture
def in_built(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in that folder."""
    monkeypatch.chdir(built)
