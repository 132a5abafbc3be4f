"""Download what a study lacks: ``lm-interpolation data`` and the arguments of its Snakemake (``make data``).

First the files that its corpora and prompts name and that are not there, as far as config/data.yaml says where they
come from; then its models and data sets on the Hugging Face hub, into the hub's cache. A second run downloads nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from lm_interpolation.commands.arguments import Run
from lm_interpolation.commands.program import Parser
from lm_interpolation.data.downloading import alone_in, download, mirrored, part_of
from lm_interpolation.data.unpacking import unpack
from lm_interpolation.jobs.runtime import UserError, announce, flush
from lm_interpolation.study.config import declare
from lm_interpolation.study.downloads import DOWNLOADS, DataSet, Download, chosen, lacking
from lm_interpolation.study.fetch_plan import fetch_plan
from lm_interpolation.study.opening import read_study

_EPILOG = """\
examples:
  lm-interpolation data --configfile config/sst.yaml
  lm-interpolation data --configfile config/sst.yaml --mirror http://mirror.local
All other arguments are those that the study is run with, as --configfile FILE and --directory DIR. If you have the
files, link their folder instead: ln -s /path/to/data data
"""


def main(arguments: Sequence[str]) -> None:
    """Fill what is missing. Raises ``UserError`` for what cannot be had, before or while it downloads."""
    usage = "lm-interpolation data [--mirror URL] [--downloads FILE] [argument of Snakemake ...]"
    parser = Parser("data", "Download the data and the models of the hub that a study lacks.", _EPILOG, usage)
    parser.add_argument("--mirror", metavar="URL", help="take https://HOST/PATH from URL/HOST/PATH")
    parser.add_argument(
        "--downloads", metavar="FILE", default=DOWNLOADS, help=f"what can be downloaded (default: {DOWNLOADS})"
    )
    options, rest = parser.parse_known_args(arguments)
    run = Run("data", "", rest)
    if run.options.dryrun:
        raise UserError(
            "data has no dry run; leave -n out, or run Snakemake with -n, which names files that are missing"
        )
    if options.mirror is not None and not options.mirror.startswith(("http://", "https://")):
        raise UserError(f"--mirror {options.mirror}: is no address; begin it with http:// or https://")
    downloads = Path(options.downloads)
    if run.options.directory and options.downloads != DOWNLOADS:
        downloads = downloads.absolute()
    run.enter()
    config = read_study(run.files, run.overrides())
    try:
        declared, plain, _ = declare(config)
        missing = lacking(declared)
        plan = chosen(missing, downloads)
    except UserError as error:
        raise error.at(", ".join(run.files)) from None
    for name, (dataset, files) in plan.items():
        fill(name, dataset, files, options.mirror)
    hub = fetch_plan(plain, declared.corpora)
    if any(hub.values()):
        # Its import is slow, and most studies need nothing from the hub.
        from lm_interpolation.models.fetching import fetch_all

        fetch_all(**hub, hub_lock=declared.hub_lock)
    told = [f"{len(missing)} files downloaded" if missing else "no file is missing"]
    if any(hub.values()):
        told.append(f"{sum(map(len, hub.values()))} sources on the hub are in its cache")
    print(f"study {declared.study}: {', '.join(told)}")


def fill(name: str, dataset: DataSet, files: Sequence[Download], mirror: str | None) -> None:
    """Make the files of a data set that are missing. Raises ``UserError`` as ``download`` and ``unpack`` do."""
    announce(f"[data] {name}: {dataset.about}")
    announce(f"[data] {name}: licence: {dataset.licence}")
    for file in files:
        folder = Path(file.outputs()[0]).parent
        with alone_in(folder):
            # Another program may have made them while this one waited.
            missing = {path for path in file.outputs() if not Path(path).exists()}
            if missing:
                _make(name, file, missing, part_of(file.url, folder), mirror)


def _make(name: str, file: Download, missing: set[str], part: Path, mirror: str | None) -> None:
    download(mirrored(file.url, mirror), file.sha256, part, name)
    if file.path is not None:
        size = part.stat().st_size
        flush(part)
        part.replace(file.path)
        announce(f"[data] {name}: wrote {file.path}, {size} bytes")
        return
    members, tables = (
        {path: source for path, source in (made or {}).items() if path in missing}
        for made in (file.members, file.tables)
    )
    unpack(part, members, tables, name)
    part.unlink()
