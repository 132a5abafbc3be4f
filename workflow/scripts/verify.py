"""Compare the files of a finished study with its manifest, or with that of another rebuild."""

from pathlib import Path
from typing import Any

from workflow.lib.manifest import compare, compare_settings, read_manifest
from workflow.lib.runtime import Progress, UserError, announce, run_job

_SHOWN = 10
_WORDS = {
    "changed": "has changed since the study was finished",
    "different": "is different",
    "missing": "is missing",
    "additional": "is not in the manifest",
}


def main(snakemake: Any) -> None:
    top = Path(snakemake.params.settings["top"])
    own_path = top / "manifest.json"
    path = Path(snakemake.params.settings["manifest"] or own_path)
    own = read_manifest(own_path)
    reference = own if path.exists() and path.samefile(own_path) else read_manifest(path)
    total = sum(entry["bytes"] for entry in own["artefacts"].values())
    found = compare(top, own, reference, Progress("verify", total, "bytes").update)
    uncompared = f" ({found.measurements} with times or memory were not compared)" if found.measurements else ""
    if not found.different:
        announce(f"{found.equal} artefacts equal{uncompared}")
        return
    # All of them in the log.
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
        f"{top / first.path} (rule {first.rule}) {_WORDS[first.kind]}, the first in the order of the data flow; "
        f"compared with {path}: {counts}, {found.equal} equal{uncompared}; all that are not are listed in "
        f"{snakemake.log}"
    )


if __name__ == "__main__":
    run_job(main, snakemake)
