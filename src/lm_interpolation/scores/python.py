"""Scores of the kind ``python``: numbers that a function in a file of the study assigns to each text."""

import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence, Set, Sized
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.scores.own_values import as_number, check_names, describe_text, score_columns

Function = Callable[[list[str], list[str]], Any]
OnDone = Callable[[int], object]
"""Called with the number of texts done so far, e.g. ``Progress(...).update``."""


def load_function(file: str | os.PathLike[str], name: str) -> Function:
    """The function ``name`` of a Python file, which is run as a module and can import modules beside it.

    Raises ``UserError`` naming the file if it cannot be run or does not define the function.
    """
    path = Path(file).resolve()
    # As for a script, which finds the modules beside it.
    sys.path.insert(0, str(path.parent))
    # Registered under its own name, so that its functions can be pickled, unless a module already has that name.
    module_name = path.stem if path.stem not in sys.modules else f"scorer_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{file}: is not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        _fail(f"{file}: running it raises", error)
    found = getattr(module, name, None)
    if not callable(found):
        kind = "no function" if found is None else f"{type(found).__name__}, no function,"
        raise UserError(f"{file}: has {kind} {name!r}; define it, or name another in function")
    return found


def score_python(
    file: str | os.PathLike[str],
    name: str,
    texts: pd.DataFrame,
    scores: Sequence[str],
    full: bool,
    progress: OnDone | None = None,
) -> pd.DataFrame:
    """The scores that function ``name`` of ``file`` assigns to ``texts``, as nullable float64 columns ``scores``.

    ``texts`` has the columns of ``line_texts.read_line_texts``. The function is called once per point, with a list of
    texts (prompt and continuation with ``full``, else the continuation) and a list of their prompts. It returns a
    sequence with a number or None (no score) for each text, or a mapping of the names in ``scores`` to such sequences.

    Raises ``UserError`` naming the file, and the text if one is to blame, if the function is missing, raises, or
    returns anything else.
    """
    function = load_function(file, name)
    values: dict[str, list[float | None]] = {key: [] for key in scores}
    for _, group in texts.groupby("point", sort=False, observed=True):
        prompts = group["prompt"].tolist()
        words = (group["prompt"] + group["continuation"] if full else group["continuation"]).tolist()
        found = _call(function, words, prompts, f"{file}: {name}()", group)
        with error_prefix(f"{file}: {name}()"):
            for key, column in _columns(found, scores, len(group)).items():
                values[key] += [_checked(value, key, index, group) for index, value in enumerate(column)]
        if progress:
            progress(len(values[scores[0]]))
    return score_columns(values).set_index(texts.index)


def _call(function: Function, words: list[str], prompts: list[str], what: str, texts: pd.DataFrame) -> Any:
    try:
        return function(list(words), list(prompts))
    except (Exception, SystemExit) as error:
        index = _first_failing(function, words, prompts)
        place = describe_text(texts, index) if index is not None else f"the texts of point {texts['point'].iloc[0]}"
        _fail(f"{what}, for {place}, raises", error)


def _first_failing(function: Function, words: Sequence[str], prompts: Sequence[str]) -> int | None:
    """Index of the first text for which the function fails by itself; None if it fails only for several together."""
    low, high = 0, len(words)

    def fails(start: int, end: int) -> bool:
        try:
            function(list(words[start:end]), list(prompts[start:end]))
        except (Exception, SystemExit):
            return True
        return False

    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(low, middle) else (middle, high)
    return low if fails(low, high) else None


def _columns(found: Any, scores: Sequence[str], count: int) -> dict[str, list[Any]]:
    """The values of each score, one per text. Raises ``UserError`` if something else was returned."""
    if isinstance(found, Mapping):
        try:
            check_names(found, scores)
        except UserError as error:
            raise UserError(f"returns a mapping that {error}") from None
        columns = {key: found[key] for key in scores}
    elif len(scores) == 1:
        columns = {scores[0]: found}
    else:
        raise UserError(
            f"returns {_kind(found)}, but the study declares the scores {', '.join(scores)}; return a mapping of these "
            "names to lists"
        )
    for key, column in columns.items():
        of_key = f" for {key!r}" if isinstance(found, Mapping) else ""
        if not isinstance(column, Iterable) or not isinstance(column, Sized) or isinstance(column, str | bytes | Set):
            raise UserError(f"returns {_kind(column)}{of_key}; return a list with a number or None for each text")
        if len(column) != count:
            raise UserError(
                f"returns {len(column)} values{of_key} for {count} texts; return one for each, None where there is none"
            )
    return {key: list(column) for key, column in columns.items()}


def _checked(value: Any, key: str, index: int, texts: pd.DataFrame) -> float | None:
    try:
        return as_number(value, "None")
    except UserError as error:
        raise UserError(f"{key} of {describe_text(texts, index)} {error}") from None


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _fail(what: str, error: BaseException) -> NoReturn:
    """Fail with one line; the log has the traceback."""
    traceback.print_exception(error)
    words = " ".join(str(error).split())
    shown = f"{type(error).__name__}{': ' * bool(words)}{words[:200]}{'...' if len(words) > 200 else ''}"
    raise UserError(f"{what} {shown}; correct it (the log has the traceback)") from None
