# Conventions that rules share. The log and the benchmark of a job are named after its first output, without the suffix
# (study.log, study.benchmark). params.settings holds everything that a result depends on; params.execution says how the
# job runs. The latter is always a function of threads: Snakemake does not compare parameters derived from threads, so a
# change there reruns nothing.

from lm_interpolation.points.algebra import POINT_ID

# Jobs of points are grouped only on clusters; the profile lists the members. (Otherwise dry runs would show groups.)
POINTS = "points" if workflow.remote_exec else None


wildcard_constraints:
    point=POINT_ID,


def growing(amount):
    """A resource: ``amount`` (MB of memory, minutes) at first, and the same amount more with each retry."""
    return lambda wildcards, attempt: amount * attempt


def trained(wildcards):
    """The model that a job trains; a trial of a search trains the model of the search."""
    return config["searches"][wildcards.search]["model"] if "search" in wildcards.keys() else wildcards.model


def processes(wildcards):
    """Number of processes that train it together; on cuda each has a GPU."""
    return study.models.processes(trained(wildcards))


_registered = workflow.modifier.rules


def own_rules():
    """Only the rules of this workflow, once all have been read; in a module there are also rules of other workflows."""
    names = {rule.name for rule in _registered}
    return [rule for rule in workflow.rules if rule.name in names]
