"""Compare the files of a finished study with its manifest, or with that of another rebuild."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_interpolation.jobs.manifest import compare, compare_settings, read_manifest
from lm_interpolation.jobs.records import check_records
from lm_interpolation.jobs.runtime import Progress, UserError, announce

_SHOWN = 10
# Keys that no result depends on.
_ASIDE = frozenset({"compute", "device", "hub_lock", "manifest", "quick"})
_WORDS = {
    "changed": "has changed since the study was finished",
    "different": "is different",
    "missing": "is missing",
    "additional": "is not in the manifest",
}


def verify(
    top: str, manifest: str | None, made_by: Sequence[tuple[str, str, str]], config: Mapping[str, Any], log: str
) -> None:
    """Compare the study in the folder ``top`` with ``manifest``, or with its own, and with its records.

    ``made_by`` maps each output to the ``settings_digest`` of the job that would make it now, in the order of the data
    flow; ``config`` is the resolved config. All differences are written to ``log``. Raises ``UserError`` for the first
    one.
    """
    own_path = Path(top, "manifest.json")
    path = Path(manifest or own_path)
    own = read_manifest(own_path)
    reference = own if path.exists() and path.samefile(own_path) else read_manifest(path)
    total = sum(entry["bytes"] for entry in own["artefacts"].values())
    found = compare(top, own, reference, Progress("verify", total, "bytes").update)
    uncompared = f" ({found.measurements} with times or memory were not compared)" if found.measurements else ""
    if not found.different:
        _check_records(made_by, config, log, top, own)
        announce(f"{found.equal} artefacts equal{uncompared}")
        return
    # The log gets all of them.
    for difference in found.different:
        print(f"{difference.path} {_WORDS[difference.kind]} (rule {difference.rule})")
    if own is not reference:
        hints = compare_settings(own, reference)
        announce("made differently:" if hints else "made alike: config, source, packages and machine are the same")
        for hint in hints[:_SHOWN]:
            announce(f"  {hint}")
        if len(hints) > _SHOWN:
            announce(f"  and {len(hints) - _SHOWN} more")
    first, kinds = found.different[0], [difference.kind for difference in found.different]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    raise UserError(
        f"{top}/{first.path} (rule {first.rule}) {_WORDS[first.kind]}, the first in the order of the data flow; "
        f"compared with {path}: {counts}, {found.equal} equal{uncompared}; all differences are listed in "
        f"{log}"
    )


def _check_records(
    made_by: Sequence[tuple[str, str, str]],
    config: Mapping[str, Any],
    log: str,
    top: str,
    own: Mapping[str, Any],
) -> None:
    """Compare the records beside the results with the manifest and the settings of this run.

    Raises ``UserError`` if a result does not match its record or was made with other settings.
    """
    checked = check_records(top, own["artefacts"], made_by)
    there = [output for output in checked.without if Path(output).exists()]
    if there:
        announce(f"note: nothing beside {_count(there)} says what made them (first {there[0]})")
    if checked.earlier:
        announce(
            f"note: {_count(checked.earlier)} made by an earlier version of the workflow (first {checked.earlier[0]}); "
            "a run would make them again"
        )
    # Only the manifest has the settings of these.
    there += checked.earlier
    if checked.other_code:
        announce(
            f"note: {_count(checked.other_code)} made by other sources or packages than those here "
            f"(first {checked.other_code[0]}); a run would make them again"
        )
    for output in checked.contradicted:
        print(f"{output} is not what its record says")
    for output in checked.other_settings:
        print(f"{output} was made with other settings")
    if checked.contradicted:
        raise UserError(
            f"{checked.contradicted[0]} is not what its record says, the first of {_count(checked.contradicted)} that "
            f"somebody changed before the manifest was written; delete them and run again (all are listed in "
            f"{log})"
        )
    hints = compare_settings(_telling(config), _telling(own["config"]))
    if checked.other_settings or (there and hints):
        for hint in hints[:_SHOWN]:
            announce(f"  {hint}")
        if len(hints) > _SHOWN:
            announce(f"  and {len(hints) - _SHOWN} more")
    if checked.other_settings:
        raise UserError(
            f"{checked.other_settings[0]} was made with other settings than those here, the first of "
            f"{_count(checked.other_settings)}; run the study again, or verify it with the config that made it (all "
            f"are listed in {log})"
        )
    if there and hints:
        raise UserError(
            f"{top}/manifest.json: the study was made with other settings than those here "
            f"({hints[0].partition(':')[0]} is the first of {len(hints)}), and no record beside {there[0]} says "
            "otherwise; run the study again, or verify it with the config that made it"
        )


def _telling(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that results depend on, in the form of a manifest."""
    kept = json.loads(json.dumps({key: value for key, value in config.items() if key not in _ASIDE}))
    for model in kept.get("models", {}).values():
        model.get("training", {}).pop("save_steps", None)
    return {"config": kept}


def _count(outputs: Sequence[str]) -> str:
    return "1 result" if len(outputs) == 1 else f"{len(outputs)} results"
