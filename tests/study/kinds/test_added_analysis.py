"""Adding an analysis takes new files and one line in the catalog, and reruns nothing that exists."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.study.test_config import full_config
from tests.whole.test_workflow import copy_sources

pytestmark = pytest.mark.snakemake

FILES = {
    "src/lm_interpolation/study/kinds/analyses/sizes.py": '''\
"""The analysis sizes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from lm_interpolation.study.kinds.analyses.base import Analysis, model_folders
from lm_interpolation.study.kinds.base import Name, Ref
from lm_interpolation.study.kinds.tables import Table

if TYPE_CHECKING:
    from lm_interpolation.study.kinds.study_config import StudyConfig
    from lm_interpolation.study.study import Study


class Sizes(Analysis):
    """Numbers of parameters."""

    TABLES: ClassVar[Mapping[str, Table]] = {
        "": Table(row="One model.", columns={"model": "its name", "parameters": "their number"})
    }

    kind: Literal["sizes"] = Field(description="Numbers of parameters.")
    sweep: Annotated[Name, Ref("sweeps")] = Field(description="Name of the sweep.")

    def sweeps_behind(self, config: "StudyConfig") -> list[str]:
        return [self.sweep]

    def inputs(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": model_folders(study, study.sweeps[self.sweep].models)}

    def settings(self, study: "Study", name: str) -> dict[str, Any]:
        return {"models": list(study.sweeps[self.sweep].models)}

    def describe(self, name: str) -> str:
        return f"{name}: numbers of parameters of the models of {self.sweep}"
''',
    "workflow/rules/analyses/sizes.smk": """\
rule count_parameters:
    input:
        unpack(lambda wildcards: study.analysis_inputs(wildcards.analysis)),
    output:
        analysed(),
    log:
        study.log("tables", "{analysis}"),
    wildcard_constraints:
        analysis=alternatives(study.analyses("sizes")),
    params:
        settings=lambda wildcards: study.settings("analyses/sizes.py", **study.analysis_settings(wildcards.analysis)),
    script:
        "../../scripts/analyses/sizes.py"
""",
    "workflow/scripts/analyses/sizes.py": """\
from lm_interpolation.jobs.runtime import Job, run_job


def main(job: Job, *, models: list[str]) -> None:
    raise NotImplementedError


if __name__ == "__main__":
    run_job(main, snakemake)
""",
}
CATALOG = "src/lm_interpolation/study/kinds/catalog.py"

# In a copy of the Snakefile: the settings of all jobs by their outputs.
LISTED = """

import json
from lm_interpolation.study.lineage import jobs_behind, settings_of

with open("listed.json", "w") as handle:
    found = jobs_behind(study.targets.results(), workflow.rules, ())
    json.dump(dict(settings_of(found, workflow.rules)), handle)
"""


def listed(folder: Path) -> dict[str, str]:
    """Output to settings of all jobs."""
    command = [sys.executable, "-m", "snakemake", "--list-rules", "--configfile", "full.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, str] = json.loads((folder / "listed.json").read_text())
    return found


def test_an_added_kind_is_new_files_and_one_line_and_reruns_nothing(tmp_path: Path) -> None:
    copy_sources(tmp_path)
    with open(tmp_path / "Snakefile", "a", encoding="utf-8") as handle:
        handle.write(LISTED)
    (tmp_path / "full.yaml").write_text(yaml.safe_dump(full_config(), sort_keys=False))
    before = listed(tmp_path)
    for path, text in FILES.items():
        assert not (tmp_path / path).exists()
        (tmp_path / path).write_text(text)
    catalog = (tmp_path / CATALOG).read_text()
    imports = "from lm_interpolation.study.kinds.analyses.sizes import Sizes\n"
    last = "    PrecisionAnalysis,\n"
    assert catalog.count(last) == 1
    edited = catalog.replace("\nSOURCES:", f"{imports}\nSOURCES:").replace(last, f"{last}    Sizes,\n")
    (tmp_path / CATALOG).write_text(edited)
    assert listed(tmp_path) == before
