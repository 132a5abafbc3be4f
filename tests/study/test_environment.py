"""Every imported package is pinned once: requirements.in, requirements.lock and envs/workflow.yaml agree."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEVELOPMENT = "# development"


def requirements(text: str) -> dict[str, str]:
    """Distribution to what stands behind its name (``==1.0``, or nothing), without comments."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    found = {}
    for line in filter(None, lines):
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", line)
        assert match, line
        found[normalise(match[1])] = match[2].strip()
    return found


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


WANTED = (ROOT / "requirements.in").read_text()
LOCK = requirements((ROOT / "requirements.lock").read_text())


def test_lock_pins_exactly() -> None:
    assert {name: pin for name, pin in LOCK.items() if not re.fullmatch(r"==[A-Za-z0-9.!]+", pin)} == {}


def test_direct_dependencies_are_locked() -> None:
    for name, pin in requirements(WANTED).items():
        assert name in LOCK, f"{name}: run make lock"
        assert pin in ("", LOCK[name]), f"{name}: run make lock"


def test_torch_is_pinned_without_a_local_version() -> None:
    # 2.13.0+cpu would not fit a machine with CUDA.
    assert requirements(WANTED)["torch"] == LOCK["torch"] == "==2.13.0"


def test_conda_environment_has_the_pins_of_the_lock() -> None:
    dependencies = yaml.safe_load((ROOT / "envs" / "workflow.yaml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in dependencies if isinstance(entry, dict)]
    pins = requirements("\n".join(pip))
    assert pins == {name: LOCK.get(name) for name in pins}
    runtime, development = WANTED.split(DEVELOPMENT)
    assert set(pins) == set(requirements(runtime))
    assert requirements(development)


def test_imports_are_direct_dependencies() -> None:
    distributions = packages_distributions()
    imported: dict[str, set[str]] = {}
    for file in sorted((ROOT / "src").rglob("*.py")):
        for package in imports(file) - set(sys.stdlib_module_names) - {"lm_interpolation"}:
            imported.setdefault(package, set()).add(file.name)
    assert {"torch", "yaml"} <= set(imported)
    runtime = requirements(WANTED.split(DEVELOPMENT)[0])
    missing = {
        package: files
        for package, files in imported.items()
        if not any(normalise(name) in runtime for name in distributions.get(package, [package]))
    }
    assert missing == {}, "add them to requirements.in and run make lock"


def imports(file: Path) -> set[str]:
    """Top-level names of the absolute imports of a file, wherever they stand in it."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(), str(file))):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module)
    return {module.split(".")[0] for module in modules}
