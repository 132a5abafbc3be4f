"""GGUF files of repositories on the Hugging Face hub."""

from pathlib import Path

from lm_interpolation.data.gated import naming_gates
from lm_interpolation.data.hub import file_names
from lm_interpolation.jobs.runtime import UserError, brief
from lm_interpolation.models.gguf_files import missing_gguf


@naming_gates()
def fetch_gguf(repository: str, commit: str, name: str) -> Path:
    """Path, in the hub's cache, of one file of a repository, downloaded if it is not there; of others nothing is.

    Raises ``UserError`` if the repository has no such file, or if it is not available.
    """
    from huggingface_hub import hf_hub_download

    names = file_names(repository, "model", commit)
    if name not in names:
        raise missing_gguf(f"model {repository} at {commit}", name, names)
    try:
        return Path(hf_hub_download(repository, name, revision=commit))
    except Exception as error:  # of httpx, of the operating system, of the hub
        raise UserError(
            f"cannot fetch {name} of model {repository} at {commit}: {brief(error, 200)}; check the network, or fill "
            "the hub cache"
        ) from error
