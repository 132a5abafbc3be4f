"""Models on the Hugging Face hub: which of their files are needed, fetched into the hub's cache."""

from pathlib import Path

from lm_interpolation.data.gated import naming_gates
from lm_interpolation.data.hub import file_names
from lm_interpolation.jobs.runtime import UserError, brief
from lm_interpolation.models.model_folders import check_contents, guides, settings_files, weight_files


@naming_gates()
def model_folder(repository: str, commit: str) -> Path:
    """Folder, in the cache, of the files that loading a model with its tokenizer reads, downloaded if not there.

    Raises ``UserError`` if they are not available, or if the repository has no complete model (only an adapter, for
    example).
    """
    from huggingface_hub import snapshot_download

    # Other folders hold the same weights for other frameworks.
    names = [name for name in file_names(repository, "model", commit) if "/" not in name]

    def download(files: list[str]) -> Path:
        try:
            return Path(snapshot_download(repository, revision=commit, allow_patterns=files))
        except Exception as error:  # see resolve
            raise UserError(
                f"cannot fetch model {repository} at {commit}: {brief(error, 200)}; check the network, or fill the hub "
                "cache"
            ) from error

    folder = download([*settings_files(names), *guides(names)])
    check_contents(repository, names, folder)
    weights = weight_files(folder, names)
    for part, there in (("config.json", "config.json" in names), ("weights for PyTorch", bool(weights))):
        if not there:
            raise UserError(f"cannot fetch model {repository} at {commit}: it has no {part}; choose another")
    download(weights)
    return folder
