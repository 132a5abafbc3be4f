"""From a configuration of mergekit to a method and a sweep of a study."""

from collections.abc import Callable

from lm_interpolation.commands.mergekit.affine import linear
from lm_interpolation.commands.mergekit.arithmetic import arithmetic
from lm_interpolation.commands.mergekit.files import KEYS, Merge
from lm_interpolation.commands.mergekit.fragments import Fragment
from lm_interpolation.commands.mergekit.geometry import karcher, model_stock, nuslerp, sce, slerp
from lm_interpolation.commands.mergekit.methods import METHODS
from lm_interpolation.commands.mergekit.parameters import settings
from lm_interpolation.commands.mergekit.translation import Translation
from lm_interpolation.jobs.runtime import UserError

_METHODS: dict[str, Callable[[Translation], Fragment | None]] = {
    "linear": linear,
    "passthrough": linear,
    **{name: arithmetic for name, method in METHODS.items() if "lambda" in [one.name for one in method.parameters]},
    "slerp": slerp,
    "nuslerp": nuslerp,
    "model_stock": model_stock,
    "sce": sce,
    "karcher": karcher,
}


def translate(merge: Merge, layers: int | None, blocks: str) -> Fragment:
    """The fragment that says what ``merge`` does.

    ``layers`` is the number of blocks, if known, and ``blocks`` the name of the list that holds them. Raises
    ``UserError`` with one line for each thing that a study cannot say.
    """
    work = Translation(merge, layers, blocks)
    fragment = _METHODS[merge.method](work)
    if work.problems or fragment is None:
        raise UserError(*dict.fromkeys(work.problems))
    fragment.notes += [*work.notes, *_notes(merge)]
    return fragment


def _notes(merge: Merge) -> list[str]:
    """What a user may miss: keys without a meaning here."""
    written = merge.written
    notes = []
    types = [str(written[key]) for key in ("dtype", "out_dtype") if written.get(key) is not None]
    if types:
        notes.append(f"dtype ({', '.join(types)}) is not needed: sums are float64, stored weights float32.")
    if any(setting is not None for setting in settings(merge, "int8_mask")):
        notes.append("int8_mask is not needed: it changes how masks are stored, not the result.")
    tokenizer = written.get("tokenizer")
    if written.get("tokenizer_source") is not None or tokenizer:
        notes.append(
            "Nothing is done about tokenizers: models with different tokenizers or vocabularies are refused, with a "
            "line that says so. mergekit would fit their embeddings to one vocabulary."
        )
    if written.get("chat_template") is not None:
        notes.append("chat_template is left out: the tokenizer of the exported model keeps its own.")
    if idle := sorted(set(written) - KEYS):
        notes.append(f"mergekit ignores {', '.join(map(str, idle))}, and so does this.")
    known = {parameter.name for parameter in METHODS[merge.method].parameters}
    scopes = [merge.parameters, *(piece.parameters for piece in merge.pieces)]
    scopes += [source.parameters for piece in merge.pieces for source in piece.sources]
    unknown = sorted({str(name) for scope in scopes for name in scope} - known)
    if unknown:
        notes.append(f"{merge.method} has no parameter {', '.join(unknown)}; mergekit ignores that, and so does this.")
    return notes
