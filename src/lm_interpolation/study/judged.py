"""Which continuations of each prompt the scorers of a study score: all, or with ``samples`` the first ones."""

from collections.abc import Iterable, Iterator

from lm_interpolation.study.kinds.study_config import StudyConfig


def judged_samples(config: StudyConfig, scorer: str, prompts: str) -> int | None:
    """How many continuations of each prompt of a set a scorer scores, the first ones; None if it scores all."""
    samples = config.scorers[scorer].samples
    return samples if samples is not None and samples < config.samples_of(prompts) else None


def judged_sets(config: StudyConfig, scorer: str, sweeps: Iterable[str]) -> dict[str, int]:
    """Prompt set to ``judged_samples``, for the sets of ``sweeps`` of which a scorer does not score all texts."""
    sets = {prompts: judged_samples(config, scorer, prompts) for prompts in scored_sets(config, scorer, sweeps)}
    return {prompts: samples for prompts, samples in sets.items() if samples is not None}


def scored_sets(config: StudyConfig, scorer: str, sweeps: Iterable[str]) -> list[str]:
    """Names of the prompt sets of ``sweeps`` whose texts a scorer scores, each once."""
    scored = (name for name in sweeps if scorer in config.scorers_of(name))
    return list(dict.fromkeys(prompts for name in scored for prompts in config.sweeps[name].prompts))


def describe_scorer(config: StudyConfig, name: str, sets: Iterable[str]) -> str:
    """One line for captions: what a scorer measures and, if not all, which continuations of prompt ``sets``."""
    described = config.scorers[name].describe(name)
    which: dict[str, list[str]] = {}
    for prompts in sets:
        judged = judged_samples(config, name, prompts)
        words = "all" if judged is None else f"the first {judged} of {config.samples_of(prompts)}"
        which.setdefault(words, []).append(prompts)
    if which.keys() <= {"all"}:
        return described
    if len(which) == 1:
        return f"{described}, of {next(iter(which))} continuations of each prompt"
    parts = [f"{words} continuations of each prompt of {' and '.join(names)}" for words, names in which.items()]
    return f"{described}, of {' and of '.join(parts)}"


def judged_problems(config: StudyConfig) -> Iterator[str]:
    """Lines on scorers that ask for more continuations than there are in any prompt set that they score."""
    for name, scorer in config.scorers.items():
        sets = [] if config.generation is None else scored_sets(config, name, config.sweeps)
        most = max(map(config.samples_of, sets), default=None)
        if scorer.samples is not None and most is not None and scorer.samples > most:
            yield (
                f"scorers.{name}.samples: {scorer.samples} exceeds the most continuations that a prompt has, {most}; "
                "lower it, or remove it to score all"
            )
