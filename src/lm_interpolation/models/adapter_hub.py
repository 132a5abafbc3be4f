"""Adapters on the Hugging Face hub."""

from pathlib import Path

from lm_interpolation.data.gated import naming_gates
from lm_interpolation.data.hub import file_names
from lm_interpolation.jobs.runtime import UserError, brief
from lm_interpolation.models.adapter_files import WEIGHTS, check_adapter_names
from lm_interpolation.models.model_folders import ADAPTER


@naming_gates()
def fetch_adapter(repository: str, commit: str) -> Path:
    """Folder, in the hub's cache, of the adapter in a repository, downloaded if it is not there; nothing else is.

    Raises ``UserError`` if the repository has no adapter, or if it is not available.
    """
    from huggingface_hub import snapshot_download

    where = f"adapter {repository} at {commit}"
    check_adapter_names(where, file_names(repository, "model", commit))
    try:
        return Path(snapshot_download(repository, revision=commit, allow_patterns=[ADAPTER, WEIGHTS]))
    except Exception as error:  # of httpx, of the operating system, of the hub
        raise UserError(
            f"cannot fetch {where}: {brief(error, 200)}; check the network, or fill the hub cache"
        ) from error
