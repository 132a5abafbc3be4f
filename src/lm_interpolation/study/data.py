"""The corpora and prompt sets of a study, with the inputs and settings of their jobs."""

from typing import TYPE_CHECKING, Any

from lm_interpolation.data.corpus_paths import SPLITS

if TYPE_CHECKING:
    from lm_interpolation.study.study import Study


class Data:
    """The corpora and prompt sets of a study, each by its name."""

    def __init__(self, study: "Study") -> None:
        self._study = study

    def streamed(self) -> list[str]:
        """Corpora whose training texts are read while a model trains."""
        return [name for name, corpus in self._study.corpora.items() if corpus.is_stream()]

    def shares(self) -> list[str]:
        """Corpora that are shares of others."""
        return [name for name, corpus in self._study.corpora.items() if corpus.is_share()]

    def joined(self) -> list[str]:
        """Corpora whose classes are others."""
        return [name for name, corpus in self._study.corpora.items() if corpus.joined_corpora()]

    def from_source(self) -> list[str]:
        """Corpora that are read from their source as a whole."""
        others = {*self.streamed(), *self.shares(), *self.joined()}
        return [name for name in self._study.corpora if name not in others]

    def corpus_settings(self, corpus: str) -> dict[str, Any]:
        """Settings of the job that makes a corpus."""
        return self._study.corpora[corpus].settings(corpus, self._study.declared)

    def corpus_execution(self, corpus: str) -> str:
        """How the job that makes a corpus runs."""
        values: dict[str, Any] = {key: self._study.config.get(key) for key in self._study.corpora[corpus].EXECUTION}
        return self._study.execution(**values)

    def parent_splits(self, corpus: str) -> dict[str, str]:
        """The splits of the corpus that this one is a share of."""
        parent = self._study.config["corpora"][corpus]["split_from"]
        return {split: self._study.path("corpora", parent, f"{split}.parquet") for split in SPLITS}

    def joined_splits(self, corpus: str) -> dict[str, list[str]]:
        """The files of each split of the corpora that are the classes of this one, in the order of their names."""
        parents = self._study.corpora[corpus].joined_corpora()
        return {
            split: [self._study.path("corpora", parent, f"{split}.parquet") for parent in parents] for split in SPLITS
        }

    def prompt_settings(self, prompts: str) -> dict[str, Any]:
        """Settings of the job that reads a prompt set."""
        return {**self._study.prompts[prompts].settings(), "readers": self.prompt_readers(prompts)}

    def prompt_readers(self, prompts: str) -> list[dict[str, Any]]:
        """The models that continue a prompt set, with the room that they need for it, and the judges that read it.

        See ``Models.readers``.
        """
        study = self._study
        sweeps = [name for name, sweep in study.sweeps.items() if prompts in sweep.prompts]
        room = study.generation("max_new_tokens") or 0
        measured = [
            sweep
            for analysis in study.declared.analyses.values()
            if analysis.continued_prompts() == prompts
            for sweep in analysis.sweeps_behind(study.declared)
        ]
        behind = study.declared.models_behind
        models = [(model, room) for name in (*sweeps, *measured) for model in behind(study.sweeps[name].models)]
        names = dict.fromkeys(name for sweep in sweeps for name in study.declared.scorers_of(sweep))
        scorers = [study.scorers[name] for name in names]
        full = [(judge, 0) for scorer in scorers if scorer.judge_reads_prompts() and (judge := scorer.judge())]
        return study.models.readers([*models, *full])
