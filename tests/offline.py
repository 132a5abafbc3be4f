"""Studies of the hub, run offline on a hub cache made by hand, with smaller numbers."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def run_offline(folder: Path, files: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Snakemake in ``folder`` on a study of ``files``, with the hub cache that is ``hf/hub`` there."""
    environment = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1"}
    # These name parts of the cache apart from HF_HOME.
    inherited = {
        key: value for key, value in os.environ.items() if key not in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
    }
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", *files, *arguments],
        cwd=folder,
        env={**inherited, **environment},
        start_new_session=True,
        capture_output=True,
        text=True,
        check=False,
    )


def check_overrides(overrides: Mapping[str, Any], study: Mapping[str, Any]) -> None:
    """A key that is misspelt in ``overrides`` would be a new one, and the study another: all must be in ``study``."""

    def check(override: Any, there: Any, path: str) -> None:
        if isinstance(override, Mapping):
            assert isinstance(there, Mapping), path
            for key, value in override.items():
                assert key in there, f"{path}.{key}"
                check(value, there[key], f"{path}.{key}")

    check(overrides, study, "")
