"""Where files that are not modules are: beside the package in a checkout, inside it if it is installed."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
"""The folder of the package ``lm_interpolation``."""

_CHECKOUT = PACKAGE.parents[1]

FROM_SOURCE = (_CHECKOUT / "workflow" / "rules").is_dir()
"""Whether the package is that of a checkout, on Python's search path or installed there as editable."""

ROOT = _CHECKOUT if FROM_SOURCE else PACKAGE
"""The folder of all that follows."""

WORKFLOW = ROOT / "workflow"
"""Rules, scripts, the schema, and templates of pages."""

LOCK = ROOT / "requirements.lock"
"""The pins of all packages."""

SEARCH_PATH = PACKAGE.parent
"""The folder that ``PYTHONPATH`` needs, so that jobs import this package and no other of its name."""
