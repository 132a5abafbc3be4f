"""Write any point of a study's sweeps as a Hugging Face directory: ``lm-interpolation export --help``.

The directory holds weights (float32), config, tokenizer and a model card. It appears whole or not at all.
"""

from collections.abc import Sequence
from pathlib import Path

from lm_interpolation.commands.adapters import write_adapter
from lm_interpolation.commands.opening import PointParser, announce, open_study
from lm_interpolation.commands.program import say
from lm_interpolation.jobs.runtime import Progress, UserError
from lm_interpolation.jobs.scratch import own_scratch, refuse_existing
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.pages.model_cards import model_card
from lm_interpolation.points.merging import merge
from lm_interpolation.points.method_merging import merge_by_method
from lm_interpolation.texts.steering import check_statistics, describe_range, find_place, model_folders

EXAMPLES = """\
  lm-interpolation export --study demo --point alpha=0.7 --to my-model
  lm-interpolation export --sweep plane --point alpha=0.7,beta=-1 --to my-model
  lm-interpolation export --point "ties density=0.2 positive=1 negative=1" --to my-model
  lm-interpolation export --point "films=1 poems=0.5 base=-0.5" --adapter --to my-adapter
  lm-interpolation export --config config/sst.yaml --point "positive=1.5 negative=-0.5" --to my-model
"""

_COMBINED = {"logits": "logit space: an ensemble of models", "layers": "layer space: layers of several models"}
"""Spaces whose points are no single models, and what these points are."""


def main(arguments: Sequence[str]) -> None:
    """Run the command. Raises ``UserError``."""
    parser = PointParser(
        "export", "Write a point of a study's sweeps as a Hugging Face directory with a card.", EXAMPLES
    )
    parser.add_argument(
        "--point",
        required=True,
        metavar="POINT",
        help=(
            "coordinates (alpha=0.7, or alpha=0.7,beta=-1), models (positive=1.5 negative=-0.5), or models under a "
            "method of the study (ties density=0.2 positive=1 negative=1)"
        ),
    )
    parser.add_argument("--to", required=True, metavar="DIR", help="the directory to make, which must not exist")
    parser.add_argument(
        "--adapter",
        action="store_true",
        help="write a LoRA adapter instead, of the model that all models of the point are adapters of",
    )
    options = parser.parse_args(arguments)
    start = Path.cwd()
    study = open_study(options.config, options.study, options.results, options.directory)
    place = find_place(study, options.point, options.sweep)
    if place.space in _COMBINED:
        others = "; ".join(describe_range(sweep) for sweep in study.sweeps.values() if sweep.space == "weights")
        raise UserError(
            f"{place.title} is a point in {_COMBINED[place.space]}, which no single model equals; export a "
            f"point of a sweep in weight space: {others}"
        )
    try:
        target = Path(options.to).expanduser()
        if options.directory is not None:
            target = start / target
    except RuntimeError:
        raise UserError(f"--to {options.to!r}: there is no such user; give another path") from None
    if not target.name:
        raise UserError(f"--to {options.to!r} names no directory; give one to make")
    refuse_existing(target)
    if options.adapter:
        announce(study, [place])
        with own_scratch(target) as scratch:
            write_adapter(study, place, scratch)
        _tell(target)
        return
    folders = model_folders(study, study.models(place.point))
    check_statistics(study, [place.point])
    announce(study, [place])
    card = model_card(study, place, folders, target.name)
    tensors = len(Checkpoint.open(next(iter(folders.values()))).tensors)
    with own_scratch(target) as scratch:
        progress = Progress(f"merge {place.title}", tensors, "tensors")
        if method := study.method(place.point):
            merge_by_method(place.point, method, folders, scratch, progress)
        else:
            merge(place.point, folders, scratch, progress)
        (scratch / "README.md").write_text(card, encoding="utf-8")
    _tell(target)


def _tell(target: Path) -> None:
    size = sum(path.stat().st_size for path in target.iterdir())
    say(f"wrote {size / 1e6:.1f} MB; README.md there is its card")
    print(target)
