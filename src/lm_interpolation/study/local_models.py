"""Checks of the files and local models that a study names, before anything runs."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_interpolation.data.data_files import require_file
from lm_interpolation.jobs.runtime import UserError, error_prefix
from lm_interpolation.models.adapter_files import Adapter
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.models.decoder_parts import unknown
from lm_interpolation.models.gguf_files import check_gguf, gguf_path, read_gguf, tokenizer_files
from lm_interpolation.models.model_folders import check_folder, context_of, model_files, read_json, text_config
from lm_interpolation.models.tokenizer_files import check_same_tokenizer, tokenizer_identity
from lm_interpolation.points.adapter_fits import check_fit
from lm_interpolation.points.algebra import Sweep
from lm_interpolation.study.checks import block_problems
from lm_interpolation.study.config import Problems
from lm_interpolation.study.config_values import show
from lm_interpolation.study.downloads import downloadable
from lm_interpolation.study.kinds.corpora.base import Corpus
from lm_interpolation.study.kinds.models.adapter import FromAdapter
from lm_interpolation.study.kinds.models.base import Origin
from lm_interpolation.study.kinds.models.directory import FromDirectory
from lm_interpolation.study.kinds.models.hub import FromHub
from lm_interpolation.study.kinds.models.scratch import FromScratch
from lm_interpolation.study.kinds.prompts.base import Prompts
from lm_interpolation.study.kinds.study_config import StudyConfig
from lm_interpolation.study.paths import system_errors


def check_files(config: StudyConfig, download: str = "make data") -> None:
    """Raise ``UserError`` for declared data files and local models that are missing or not as declared.

    ``download`` is the command that downloads what the study lacks, for files of which config/data.yaml says where they
    come from.
    """
    problems = Problems([])
    remedies = _Remedies(download)
    for name, corpus in config.corpora.items():
        problems.keep(_check_declared_files, f"corpora.{name}", corpus, remedies)
    for name, prompts in config.prompts.items():
        problems.keep(_check_declared_files, f"prompts.{name}", prompts, remedies)
    for name, scorer in config.scorers.items():
        for key, words in scorer.file_problems():
            problems.add(f"scorers.{name}.{key}: {words}")
    for name, model in config.models.items():
        start = model.start
        if isinstance(start, FromDirectory) and start.gguf_file is None:
            problems.keep(_check_local, config, name, Path(start.directory))
        elif isinstance(start, FromDirectory):
            problems.keep(_check_gguf, config, name, start)
        elif isinstance(start, FromAdapter) and start.adapter.directory is not None:
            problems.keep(_check_adapter, name, start.adapter.directory)
        if isinstance(start, FromDirectory | FromHub) and start.tokenizer_directory is not None:
            problems.keep(_check_tokenizer, name, Path(start.tokenizer_directory))
    for name, method in config.methods.items():
        for file in method.built(name).recipe["files"]:
            if not Path(file).is_file():
                problems.add(f"methods.{name}.keep.file: no file {file}; {remedies.about(file)}")
    if problems.lines:
        raise UserError(*problems.lines)


class _Remedies:
    """What to do about missing files. Only if there are any, it reads what can be downloaded."""

    def __init__(self, download: str) -> None:
        self._download = download
        self._declared: frozenset[str] | None = None

    def about(self, path: str) -> str:
        if self._declared is None:
            self._declared = downloadable()
        if os.path.normpath(path) in self._declared:
            return f"{self._download} downloads it (or link the folder, if you have it)"
        return f"correct the path (relative ones start at {Path.cwd()})"


def _check_declared_files(place: str, declared: Corpus | Prompts, remedies: _Remedies) -> None:
    """Raise ``UserError`` for a file that is not there, and for a pointer in its place."""
    for key, path in declared.checked_files(place):
        with error_prefix(key), system_errors():
            if not Path(path).is_file() and not Path(path).is_symlink():
                raise UserError(f"no file {path}; {remedies.about(path)}")
            require_file(Path(path), key)


def _check_local(config: StudyConfig, name: str, directory: Path) -> None:
    with error_prefix(f"models.{name}.start.directory"), system_errors():
        settings = check_folder(directory, config.models[name].task)
        if not _is_pickled(directory):
            Checkpoint.open(directory)
    lines = [
        *_imported_classes(config, name, directory, settings),
        *_too_long_blocks(config, name, context_of(settings), f"{directory / 'config.json'} names"),
    ]
    if lines:
        raise UserError(*lines)


def _check_adapter(name: str, directory: str) -> None:
    with error_prefix(f"models.{name}.start.adapter.directory"), system_errors():
        Adapter.open(directory)


def _check_gguf(config: StudyConfig, name: str, start: FromDirectory) -> None:
    with error_prefix(f"models.{name}.start.gguf_file"), system_errors():
        header = read_gguf(gguf_path(start.directory, str(start.gguf_file)))
        check_gguf(header, start.tokenizer_directory is None)
    if lines := list(_too_long_blocks(config, name, header.context, f"{header.path} names")):
        raise UserError(*lines)


def _check_tokenizer(name: str, directory: Path) -> None:
    with error_prefix(f"models.{name}.start.tokenizer_directory"), system_errors():
        tokenizer_files(directory)
        tokenizer_identity(directory)


def _too_long_blocks(config: StudyConfig, name: str, context: int | None, where: str) -> Iterator[str]:
    """Lines on the trainings from the imported model ``name`` whose blocks exceed its ``context``."""
    for trained, model in config.models.items():
        if model.training and config.root_of(trained)[0] == name:
            yield from block_problems(trained, model, context, where)


def _imported_classes(config: StudyConfig, model: str, directory: Path, settings: Mapping[str, Any]) -> Iterator[str]:
    """Lines on wrong classes in its exam and in scorers whose judge is ``model``, if its ``settings`` name classes."""
    id2label = settings.get("id2label")
    noun = f"class (id2label in {directory / 'config.json'})"
    declared = config.models[model]
    if id2label and declared.exam is not None:
        for place, words in declared.exam.class_problems(list(map(str, id2label.values())), noun, declared, config):
            yield f"models.{model}.exam.{place}: {words}"
    for name, scorer in config.scorers.items():
        if id2label and scorer.judge() == model:
            for place, words in scorer.class_problems(list(map(str, id2label.values())), noun):
                yield f"scorers.{name}.{place}: {words}"


def _is_pickled(directory: Path) -> bool:
    """Whether weights exist only as pickle: the import reads them, but their headers cannot be inspected."""
    return not any(file.suffix == ".safetensors" for file in model_files(directory))


def _has_its_tensors(directory: Path) -> bool:
    """Whether the headers in a folder list the tensors of the language model that is imported from it."""
    path = directory / "config.json"
    return not _is_pickled(directory) and text_config(read_json(path, ""), path) is None


def check_sweep_models(config: StudyConfig, sweeps: Mapping[str, Sweep]) -> list[str]:
    """Raise ``UserError`` for models of a sweep or soup, or an adapter and its base, that cannot be combined.

    That is as far as known before training. Fine-tuning keeps shapes and tokenizer, so the ancestors are compared:
    declared architectures as declared, local directories by their files. The merge checks the actual weights again.
    Returns lines on differences that do not matter.
    """
    notes: list[str] = []
    problems = Problems([])
    for sweep in sweeps.values():
        models = config.models_behind(sweep.models)
        problems.keep(_check_together, config, f"sweeps.{sweep.name}", models, sweep.space, notes)
    for name, model in config.models.items():
        if model.start.DERIVED:
            place = f"models.{name}.start.{model.start.KEY}"
            problems.keep(_check_together, config, place, model.start.parents(config), "weights", notes)
        if isinstance(model.start, FromAdapter) and model.start.adapter.directory is not None:
            root = config.root_of(name)[1]
            if (base := _folder_of(root)) is not None and _has_its_tensors(base):
                place = f"models.{name}.start.adapter.directory"
                problems.keep(_check_fit, place, Path(model.start.adapter.directory), base)
    if problems.lines:
        raise UserError(*problems.lines)
    return list(dict.fromkeys(notes))


def _check_together(config: StudyConfig, place: str, models: Sequence[str], space: str, notes: list[str]) -> None:
    roots: dict[str, Origin] = {model: config.root_of(model)[1] for model in models}
    folders = {model: _folder_of(root) for model, root in roots.items()}
    local = {model: folder for model, folder in folders.items() if folder is not None and _has_its_tensors(folder)}
    if len(local) > 1:
        with error_prefix(place):
            if space == "logits":
                check_same_tokenizer(local)
            else:
                check_compatible(local, notes.append)
    if space == "layers":
        for model, folder in local.items():
            if (reason := unknown(read_json(folder / "config.json", "").get("model_type"))) is not None:
                raise UserError(f"{place}.space: layers, but the architecture of {model!r} ({folder}) {reason}")
    declared = {model: root for model, root in roots.items() if isinstance(root, FromScratch)}
    for model, root in declared.items():
        first, reference = next(iter(declared.items()))
        # Logits can be added whatever the architecture.
        counting = (d for d in _differences(reference, root) if space != "logits" or d[0] == "tokenizer")
        for key, one, two in counting:
            raise UserError(
                f"{place}: models {first!r} and {model!r} differ in {key} "
                f"({show(one)} and {show(two)}) and cannot be combined; declare them alike"
            )


def _folder_of(root: Origin) -> Path | None:
    """The local folder that a model's weights come from, in the format of transformers, if they do."""
    return Path(root.directory) if isinstance(root, FromDirectory) and root.gguf_file is None else None


def _check_fit(place: str, adapter: Path, base: Path) -> None:
    with error_prefix(place):
        check_fit(Adapter.open(adapter), Checkpoint.open(base))


def _differences(one: FromScratch, two: FromScratch) -> Iterator[tuple[str, Any, Any]]:
    """(key, value, value) for each difference between two declared architectures with tokenizers."""
    pairs = [{"tokenizer": start.tokenizer, **start.architecture_declared()} for start in (one, two)]
    for key in dict.fromkeys([*pairs[0], *pairs[1]]):
        if pairs[0].get(key) != pairs[1].get(key):
            yield key, pairs[0].get(key), pairs[1].get(key)
