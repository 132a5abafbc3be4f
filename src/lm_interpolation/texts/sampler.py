"""Choosing the next token from the logits and one random number for each (seed, row, sample, step)."""

import numpy as np
import numpy.typing as npt
import torch

from lm_interpolation.models.logits import rows_at_once


def uniforms(seed: int, row: int, sample: int, steps: int) -> npt.NDArray[np.float64]:
    """Random numbers in [0, 1), shape (steps,); each depends only on (seed, row, sample, step).

    One stream of the counter-based generator Philox 4x64 (Salmon et al. 2011) for each (row, sample). The numbers come
    from the raw bits: numpy guarantees that these are the same in all its versions, unlike the distributions of
    ``Generator``.
    """
    # The lowest of the four words counts the draws of a stream.
    bits = np.random.Philox(key=seed, counter=[0, 0, sample, row]).random_raw(steps)
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def top_p_sample(
    logits: torch.Tensor, u: torch.Tensor, top_p: float, nucleus_logits: torch.Tensor | None = None
) -> torch.Tensor:
    """Sample a token from the nucleus of each row: shapes (n, V) float and (n,) float64 -> (n,) int64.

    The nucleus (Holtzman et al. 2020) is the smallest set of most likely tokens with total probability >= ``top_p``,
    together with tokens exactly as likely as its last one (in 16 bits many are: a nucleus can hold visibly more than
    ``top_p``). The token is the argmax of logit + Gumbel noise (Gumbel-max trick), which is a sample from the
    renormalised nucleus; the noise is a hash of (u, token id). If ``nucleus_logits`` (n, V) are given, they determine
    the nucleus, and ``logits`` only the odds within it.

    Why not invert the cumulative distribution at u? There a rounding error in one likely token moves the edges of all
    tokens after it, so the chance of a flip grows with the size of the nucleus. Here only the best two tokens matter:
    the chance is about the size of the error, whatever the vocabulary. For the same reason neighbouring points of a
    sweep, which share u, choose the same token more often.
    """
    deciding = logits if nucleus_logits is None else nucleus_logits
    rows, vocabulary = logits.shape
    # On a CPU, torch finds few top tokens much faster than many (above 1/64 of the vocabulary it sorts differently).
    size = min(max(16, vocabulary // 64), 128, vocabulary)
    chosen = []
    kind = torch.promote_types(deciding.dtype, torch.float32)
    step = rows_at_once(vocabulary)
    for begin in range(0, rows, step):
        span = slice(begin, begin + step)
        probabilities = torch.softmax(deciding[span], dim=-1, dtype=kind)
        chosen.append(_choose(probabilities, logits[span], u[span], top_p, size))
    return torch.cat(chosen)


def _choose(
    probabilities: torch.Tensor, logits: torch.Tensor, u: torch.Tensor, top_p: float, size: int
) -> torch.Tensor:
    """``top_p_sample`` for nuclei of ``probabilities`` (n, V), searched first among the ``size`` best tokens."""
    vocabulary = logits.shape[-1]
    top, tokens = probabilities.topk(size)
    before = top.cumsum(-1, dtype=torch.float64) - top
    inside = before < top_p
    inside = top >= top.masked_fill(~inside, torch.inf).amin(-1, keepdim=True)
    noisy = logits.gather(-1, tokens).double() + _gumbel(u, tokens)
    best = noisy.masked_fill(~inside, -torch.inf).argmax(-1, keepdim=True)
    chosen = tokens.gather(-1, best).squeeze(-1)
    if size < vocabulary:
        # Sorting the whole vocabulary can cost more than a small model, so it is done only if the nucleus may be wider.
        (wider,) = inside[:, -1].nonzero(as_tuple=True)
        if len(wider):
            size = min(8 * size, vocabulary)
            chosen[wider] = _choose(probabilities[wider], logits[wider], u[wider], top_p, size)
    return chosen


def _gumbel(u: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Standard Gumbel noise for (n,) uniforms and (n, k) token ids; it depends only on each pair (u, id)."""
    # SplitMix64 (Steele et al. 2014): the id-th output of the generator whose state is the bits of u.
    state = (u * 2.0**53).long()
    state = _mix(state).unsqueeze(-1) + (tokens + 1) * _signed(0x9E3779B97F4A7C15)
    uniform = ((_mix(state) >> 11 & (1 << 53) - 1).double() + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform))


def _mix(state: torch.Tensor) -> torch.Tensor:
    """The output function of SplitMix64 on int64, whose products wrap around as unsigned ones do."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> shift & (1 << 64 - shift) - 1)) * _signed(factor)
    return state ^ (state >> 31 & (1 << 33) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
