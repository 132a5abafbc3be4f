"""Random numbers that belong to an element of a tensor of a model, whoever asks and in which order.

They come from Philox 4x64 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") as NumPy implements it:
the key is made from the seed, the model and the tensor, and the counter from the index of the element. So they do not
depend on chunks, threads or device.
"""

import hashlib
import math

import numpy as np
import numpy.typing as npt

WORDS = 1 << 32
"""Number of words that there are."""

_STEP = 8
"""32-bit words per step of the counter."""


def random_words(seed: int, model: str, tensor: str, start: int, count: int) -> npt.NDArray[np.uint32]:
    """``count`` uniform 32-bit words, those of the elements of ``tensor`` from index ``start`` on."""
    key = hashlib.sha256(f"{seed}\n{model}\n{tensor}".encode()).digest()[:16]
    first, skipped = divmod(start, _STEP)
    steps = -(-(skipped + count) // _STEP)
    generator = np.random.Philox(counter=first, key=int.from_bytes(key, "little"))
    return generator.random_raw(steps * (_STEP // 2)).view("<u4")[skipped : skipped + count]


def threshold(probability: float) -> int:
    """How many of the 2^32 words lie below ``probability``: an element is chosen if its word is smaller."""
    return math.ceil(probability * WORDS)
