"""Jobs made up by hand, for the ``main`` of a script."""

from typing import Any

from lm_interpolation.jobs.runtime import Job


class Files(list):
    """Like Snakemake's inputs: a flat list of paths, with names for some of them."""

    def __init__(self, **named: Any) -> None:
        super().__init__(path for value in named.values() for path in (value if isinstance(value, list) else [value]))
        self.named = named

    def __getattr__(self, name: str) -> Any:
        try:
            return self.named[name]
        except KeyError:
            raise AttributeError(name) from None

    def items(self) -> Any:
        return self.named.items()


def make_job(input: Any = (), output: Any = (), settings: str = "{}", **wildcards: str) -> Job:
    """A job of the study ``s`` with these files; those of a dictionary have names."""
    files = [Files(**value) if isinstance(value, dict) else value for value in (input, output)]
    return Job("rule", *files, Files(**wildcards), "results/s/logs/job.log", settings)
