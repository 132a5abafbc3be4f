"""Greedy soups: the mean of those models that make it better (Wortsman et al. 2022, arXiv 2203.05482, Recipe 1).

The models are sorted by their loss on held-out texts. From the best one on, each is taken into the mean if that makes
the loss of the mean lower. So the soup is never worse on these texts than the best model.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lm_interpolation.analyses.losses import encode_texts, text_losses
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.points.interpolation import WeightSpace
from lm_interpolation.points.means import Mean

OnDone = Callable[[int], object]


@dataclass(frozen=True)
class Step:
    """One model that was tried, the best first."""

    model: str
    nll_token: float
    """Its own loss: nats per token."""
    soup_nll_token: float
    """The loss of the mean of what was taken in before, and of this model."""
    added: bool


@dataclass(frozen=True)
class Selection:
    """What a greedy soup is made of, and why."""

    models: list[str]
    """In the order in which they were taken in; the soup is their mean."""
    nll_token: float
    """The loss of the soup: nats per token."""
    tokens: int
    """Number of tokens that were predicted for each loss."""
    steps: list[Step]

    def plain(self) -> dict[str, Any]:
        """The selection as mappings and lists."""
        return asdict(self)


def choose(names: Iterable[str], loss_of: Callable[[Mean], float], tokens: int) -> Selection:
    """The greedy soup of the models ``names``; ``loss_of`` gives the loss of a mean of some of them.

    Models of equal loss are tried in the order of their names. A model is taken in only if the loss of the mean gets
    strictly lower. With N models there are N + N - 1 evaluations.
    """
    alone = {name: loss_of(Mean.of_models([name])) for name in names}
    first, *others = sorted(alone, key=lambda name: (alone[name], name))
    chosen, best = [first], alone[first]
    steps = [Step(first, best, best, True)]
    for name in others:
        loss = loss_of(Mean.of_models([*chosen, name]))
        added = loss < best
        if added:
            chosen, best = [*chosen, name], loss
        steps.append(Step(name, alone[name], loss, added))
    return Selection(chosen, best, tokens, steps)


def greedy_soup(space: WeightSpace, texts: Sequence[str], batch_size: int, progress: OnDone | None = None) -> Selection:
    """The greedy soup of the models in ``space`` by the loss on ``texts``.

    The loss is the mean NLL per token: the sum over all texts divided by the number of predicted tokens, so longer
    texts weigh more. The NLL of a text is that of ``losses.text_losses``. ``progress`` is called with the number of
    evaluations done, 2 N - 1 in the end. Losses depend on ``batch_size`` and the device by rounding.

    Raises ``UserError`` if there are no texts, one is too long or has no token to predict, or a loss is not finite.
    """
    if not texts:
        raise UserError("there are no texts to choose by; choose another corpus or class")
    encoded = encode_texts(space.model, space.tokenizer, {"": texts}, batch_size)
    tokens, done = int(encoded.scored.sum()), 0

    def loss_of(mean: Mean) -> float:
        nonlocal done
        space.set_point(mean)
        try:
            loss = float(text_losses(space.model, encoded).sum()) / tokens
        except UserError as error:
            raise UserError(f"{mean.id}, {error}") from None
        done += 1
        if progress:
            progress(done)
        return loss

    return choose(space.names, loss_of, tokens)
