"""What to do about a repository on the Hugging Face hub whose licence must be accepted first.

It decides on no result, see ``sources``.
"""

import contextlib
from collections.abc import Iterator

from lm_interpolation.jobs.runtime import UserError


@contextlib.contextmanager
def naming_gates() -> Iterator[None]:
    """Let a ``UserError`` that stems from a gated repository name it, and say where its licence is accepted."""
    try:
        yield
    except UserError as error:
        if line := _line(error):
            raise UserError(line) from error
        raise


def _line(error: BaseException) -> str | None:
    from huggingface_hub.errors import GatedRepoError

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, GatedRepoError):
        cause = cause.__cause__ or cause.__context__
    if cause is None or cause.repo_id is None:
        return None
    kind = cause.repo_type or "model"
    # The website, also where files come from a mirror of the hub.
    page = f"https://huggingface.co/{'datasets/' if kind == 'dataset' else ''}{cause.repo_id}"
    return (
        f"{kind} {cause.repo_id}: its licence must be accepted at {page}, once, with an account there; then log in here "
        "(hf auth login, or set HF_TOKEN) and run this again"
    )
