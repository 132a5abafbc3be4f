"""Training tokenizers: byte-level BPE, as GPT-2's."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    PreTrainedTokenizerFast,
)

from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.runtime import UserError, atomic_path

END_OF_TEXT = "<|endoftext|>"
"""The one special token of tokenizers trained here; it ends a text and pads a batch, as in GPT-2."""


def train_tokenizer(texts: Sequence[str], vocab_size: int, output: Path) -> None:
    """Train a byte-level BPE tokenizer (as GPT-2's) with ``vocab_size`` tokens on ``texts`` and save it to ``output``.

    Raises ``UserError`` if the texts are too few for that many tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != vocab_size:
        raise UserError(
            f"the texts yield only {tokenizer.get_vocab_size()} tokens, not vocab_size {vocab_size}; "
            "lower vocab_size or train the tokenizer on more text"
        )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END_OF_TEXT, eos_token=END_OF_TEXT, pad_token=END_OF_TEXT
    )
    with atomic_path(output) as scratch:
        fast.save_pretrained(scratch)
        write_checksums(scratch)
