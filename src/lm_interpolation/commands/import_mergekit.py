"""Say a mergekit configuration in the words of a study: ``lm-interpolation import-mergekit --help``.

It writes models, a method and a sweep around what mergekit would merge, with comments on every difference, or one line
for each thing that a study cannot say. The table of methods is in docs/methods.md.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lm_interpolation.commands.mergekit.files import read_merge
from lm_interpolation.commands.mergekit.fragments import write
from lm_interpolation.commands.mergekit.tensors import ARCHITECTURES
from lm_interpolation.commands.mergekit.translating import translate
from lm_interpolation.commands.program import Parser, say
from lm_interpolation.jobs.runtime import UserError, atomic_path
from lm_interpolation.jobs.scratch import refuse_existing

EXAMPLES = """\
examples:
  lm-interpolation import-mergekit ties.yml
  lm-interpolation import-mergekit gradient.yml --layers 32 --to config/gradient.yaml
then, with a study that has prompts and scorers:
  lm-interpolation check config/study.yaml config/gradient.yaml
"""


def main(arguments: Sequence[str]) -> None:
    """Run the command. Raises ``UserError`` with one line for each thing that cannot be translated."""
    parser = Parser("import-mergekit", "Translate a mergekit configuration to a sweep of a study.", EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="a configuration as for mergekit-yaml")
    parser.add_argument("--to", metavar="FILE", help="write it there, where nothing may be (default: print it)")
    parser.add_argument(
        "--layers", metavar="N", type=int, help="blocks of the models, which gradients depend on (default: from slices)"
    )
    parser.add_argument(
        "--blocks",
        choices=ARCHITECTURES,
        default=next(iter(ARCHITECTURES)),
        help="names of blocks in tensors, which filters and gradients become patterns of (default: %(default)s)",
    )
    parser.add_directory()
    options = parser.parse_args(arguments)
    if options.layers is not None and not 1 <= options.layers <= 1000:
        raise UserError(f"--layers {options.layers}: give the number of blocks of the models, 1 to 1000")
    file, target = options.file, options.to
    if options.directory is not None:
        # Models are folders relative to it; the files here are not.
        file, target = str(Path(file).absolute()), target and str(Path(target).absolute())
        os.chdir(options.directory)
    if target is not None:
        refuse_existing(Path(target))
    merge = read_merge(file)
    try:
        text = write(translate(merge, options.layers, options.blocks), merge, Path(file).name)
    except UserError as error:
        raise error.at(file) from None
    if target is None:
        sys.stdout.write(text)
        return
    with atomic_path(target) as scratch:
        scratch.write_text(text, encoding="utf-8")
    say(f"wrote {target}; its comments say what differs from mergekit")
