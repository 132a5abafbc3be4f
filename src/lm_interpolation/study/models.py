"""The models of a study: which are imported and trained, and the inputs and settings of their jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import SPLITS
from lm_interpolation.models.adapter_files import adapter_files
from lm_interpolation.models.gguf_files import gguf_path, tokenizer_files
from lm_interpolation.models.model_folders import context_of, model_files
from lm_interpolation.study.leak_plan import lineage, weights_from

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class Models:
    """The models of a study, each by its name."""

    def __init__(self, study: "Study") -> None:
        self._study = study
        self._specs: dict[str, dict[str, Any]] = study.config["models"]

    def imported(self) -> list[str]:
        """The models from the hub or a local directory."""
        return [name for name, model in self._study.declared.models.items() if model.start.IMPORTED]

    def derived(self, *keys: str) -> list[str]:
        """The models that are made of others without training; with ``keys``, those of these origins."""
        models = self._study.declared.models.items()
        return [name for name, model in models if model.start.DERIVED and (not keys or model.start.KEY in keys)]

    def from_gguf(self) -> list[str]:
        """The imported models whose weights are in a GGUF file."""
        return [name for name in self.imported() if "gguf_file" in self._specs[name]["start"]]

    def trained(self, task: str) -> list[str]:
        """The models with this task that the workflow trains."""
        return [name for name, spec in self._specs.items() if "data" in spec and spec["task"] == task]

    def starts(self) -> set[str]:
        """The models that trainings of other models start from, or that those are made of."""
        found = {spec["start"]["model"] for spec in self._specs.values() if "model" in spec["start"]}
        return found | {part for name in found for part in self._made_of(name)}

    def _made_of(self, model: str) -> list[str]:
        """The models that a model is made of without training, directly or not."""
        if model not in self.derived():
            return []
        parts = weights_from(self._specs[model]["start"])
        return [*parts, *(other for part in parts for other in self._made_of(part))]

    def ingredients(self, model: str) -> list[str]:
        """The models that a soup is made of, sorted."""
        return sorted(weights_from(self._specs[model]["start"]))

    def soup_inputs(self, model: str) -> dict[str, Any]:
        """Inputs of a soup: its models and, for a greedy one, the texts that decide."""
        inputs: dict[str, Any] = {"models": [self._study.path("models", name) for name in self.ingredients(model)]}
        if (loss := self._specs[model]["start"].get("loss")) is not None:
            inputs["texts"] = self._study.path("corpora", loss["corpus"], f"{loss['split']}.parquet")
        return inputs

    def greedy_settings(self, model: str) -> dict[str, Any]:
        """Settings of a greedy soup."""
        loss = self._specs[model]["start"]["loss"]
        return {
            "models": self.ingredients(model),
            "corpus": loss["corpus"],
            "split": loss["split"],
            "class_name": loss.get("class"),
            "limit": loss.get("limit"),
        }

    def align_inputs(self, model: str) -> dict[str, str]:
        """Inputs of a model that is aligned with another one: both of them."""
        settings = self.align_settings(model)
        return {key: self._study.path("models", settings[key]) for key in ("model", "target")}

    def align_settings(self, model: str) -> dict[str, Any]:
        """Settings of a model that is aligned with another one."""
        start = self._specs[model]["start"]
        return {"model": start["align"], "target": start["to"], "permute": start["permute"], "seed": start["seed"]}

    def files(self, model: str) -> list[str]:
        """The files that the import of a model, or the merge of an adapter, reads from local directories."""
        start = self._specs[model]["start"]
        if "adapter" in start:
            folder = start["adapter"].get("directory")
            return list(map(str, adapter_files(folder))) if folder else []
        directory, gguf, tokenizer = (start.get(key) for key in ("directory", "gguf_file", "tokenizer_directory"))
        files: list[Path] = []
        if directory:
            files += [gguf_path(directory, gguf)] if gguf else model_files(directory)
        if tokenizer:
            files += tokenizer_files(tokenizer)
        return list(map(str, files))

    def inputs(self, model: str) -> dict[str, Any]:
        """Inputs for training ``model``: data, and the parent, the model of the same shape, or the tokenizer."""
        spec = self._specs[model]
        corpus, start = spec["data"]["corpus"], spec["start"]
        inputs: dict[str, Any] = {
            split: self._study.path("corpora", corpus, f"{split}.parquet")
            for split in (SPLITS if spec["task"] == "classifier" else SPLITS[:2])
        }
        if self._study.corpora[corpus].is_stream():
            inputs["stream"] = self._study.path("corpora", corpus, "stream.json")
            del inputs["train"]
        for key, name in (("model", "start"), ("architecture_of", "like")):
            if key in start:
                inputs[name] = self._study.path("models", start[key])
        if "tokenizer" in start:
            inputs["tokenizer"] = self._study.path("tokenizers", start["tokenizer"])
        return inputs

    def settings(self, model: str) -> dict[str, Any]:
        """Settings of a trained model: its entry without ``save_steps`` and ``exam``, on which no weight depends."""
        spec = {key: value for key, value in self._specs[model].items() if key != "exam"}
        training = {key: value for key, value in spec["training"].items() if key != "save_steps"}
        return {**spec, "training": training}

    def execution(self, model: str) -> dict[str, Any]:
        """How a training runs, apart from its device and threads. A trial of a search trains the search's ``model``."""
        return {
            "processes": self.processes(model),
            "name": model,
            "save_steps": self._specs[model]["training"]["save_steps"],
            "micro_batch": self._study.batch_size("train"),
        }

    def processes(self, model: str) -> int:
        """Number of processes that train ``model`` together; on cuda each has a GPU."""
        return int(self._specs[model]["training"]["processes"])

    # Replicates.

    def replicates(self) -> list[str]:
        """The models that are trained with others of their family in one job."""
        return [name for members in self._study.declared.families().values() for name in members]

    def family_settings(self, family: str) -> dict[str, Any]:
        """Settings of the job of a family, which are the same whatever its seeds."""
        first, *_ = self._study.declared.families()[family]
        settings = self.settings(first)
        training = {key: value for key, value in settings["training"].items() if key != "seed"}
        return {"model": {**settings, "training": training}}

    def replicates_execution(self, names: Sequence[str]) -> dict[str, Any]:
        """How the job of a family with these members, or of one of them, runs, apart from its device and threads."""
        execution = self.execution(names[0])
        del execution["name"]
        return {
            **execution,
            "seeds": {name: self._specs[name]["training"]["seed"] for name in names},
            "outputs": {name: self._outputs(name) for name in names},
        }

    def _outputs(self, model: str) -> dict[str, str]:
        """The results of a training."""
        path = self._study.path
        return {
            "model": path("models", model),
            "loss_curve": path("training", model, "loss.csv"),
            "metrics": path("training", model, "metrics.json"),
        }

    def examined(self) -> list[str]:
        """The judges that have an exam."""
        return [name for name, spec in self._specs.items() if "exam" in spec]

    def exams(self) -> list[str]:
        """Results of the exams, and a page about each."""
        return [
            self._study.path("judges", name, file) for name in self.examined() for file in ("exam.json", "exam.html")
        ]

    def exam_inputs(self, model: str) -> dict[str, str]:
        """Inputs of an exam: the judge, the texts, and what its baseline learns from."""
        declared = self._study.declared.models[model]
        exam, path = declared.exam, self._study.path
        assert exam is not None
        inputs = {
            "model": path("models", model),
            "texts": path("corpora", exam.corpus_of(declared), "test.parquet"),
        }
        if exam.baseline_of(declared) == "tfidf":
            assert declared.data is not None
            inputs |= {split: path("corpora", declared.data.corpus, f"{split}.parquet") for split in SPLITS[:2]}
        return inputs

    def exam_settings(self, model: str) -> dict[str, Any]:
        """Settings of an exam: all but its mark, which judges the result."""
        declared = self._study.declared.models[model]
        assert declared.exam is not None
        return declared.exam.settings(declared, self._study.declared) | {"bootstrap": self._study.config["tables"]}

    def tokenizer_folder(self, model: str) -> str:
        """Where the tokenizer of a model is before training: its own folder, or that of the imported model."""
        name, start = self._study.declared.root_of(model)
        own = start.own_tokenizer()
        return self._study.path("models", name) if own is None else self._study.path("tokenizers", own)

    def readers(self, models: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
        """The entries of ``lengths.open_readers`` for pairs (model, reserved tokens), each once.

        ``tokenizer`` is the folder of a tokenizer or an imported model, which exists before the weights.
        """
        found: dict[tuple[str, int | None, int], dict[str, Any]] = {}
        for model, reserve in models:
            tokenizer = self.tokenizer_folder(model)
            context = context_of(self._study.declared.root_of(model)[1].architecture_declared())
            entry = {"name": f"model {model}", "tokenizer": tokenizer, "context": context, "reserve": reserve}
            found.setdefault((tokenizer, context, reserve), entry)
        return list(found.values())

    def rounding_references(self) -> dict[str, str]:
        """Map each imported language model to the model that its rounding is measured against.

        That is the first model of the origin, or else of the directions, of a sweep in weights that has both. Models
        that are trained from the imported one share its rounding, so they are not used as reference.
        """
        references: dict[str, str] = {}
        imported = self.imported()
        for sweep in self._study.config["sweeps"].values():
            if sweep["space"] != "weights":
                continue
            models = [model for part in (sweep["origin"], *sweep["directions"].values()) for model in part]
            for model in (model for model in models if model in imported):
                others = [other for other in models if model not in lineage(self._specs, [other])]
                if others:
                    references.setdefault(model, others[0])
        return references
