"""Seeded mutations of configurations, planned as in a dry run: does every mistake give one line, at once?

    .venv/bin/python -m tests.campaign.fuzz_config --count 500 --seed 1

By turns tests/tiny.yaml and config/minimal.yaml (or ``--bases``) are mutated: values (types, keys, numbers, names), or
the text of the file (indentation, anchors, encodings, bombs). Each mutation is read and planned in this process, with
an alarm, and some of them once more by what ``make`` runs: ``check --syntax``, then ``snakemake -n``, which must say
the same. Any outcome other than an accepted file or a one-line error is printed with its mutation and ends the campaign
with status 1.
"""

import argparse
import collections
import contextlib
import copy
import datetime
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from safetensors.numpy import save_file
from snakemake.exceptions import WorkflowError

from benchmarks.dag import copy_workflow
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.study import captions, explorer, verdicts
from lm_interpolation.study.config_files import read_config
from lm_interpolation.study.leak_plan import leak_plan
from lm_interpolation.study.names import rule_names
from lm_interpolation.study.study import Study

ROOT = Path(__file__).parents[2]
BASES = ["tests/tiny.yaml", "config/minimal.yaml"]
LIMIT = 2.0
"""Seconds of computing that a file may take; others may use the machine, so waiting is cut after ten times as long."""

Tree = Any
Keys = tuple[str | int, ...]


def nested(depth: int) -> Tree:
    value: Tree = 1
    for _ in range(depth):
        value = {"a": value}
    return value


NASTY: list[Tree] = [
    *(None, True, False, 0, 1, -1, 0.5, -0.0, 1e-300, 1e308, 10**9, 10**18, 2**63, 10**400, math.nan, math.inf),
    *("", " ", "\n", "a\nb", "tiny\n", "a\tb", "\0", "é", "日本語", "\u2028", "\x85", "x" * 190, "x" * 300, "é" * 5000),
    *(
        "1",
        "1e9",
        "1e-5",
        "yes",
        "null",
        "~",
        "<<",
        "*a",
        "{x}",
        "{prompts}",
        "a/b",
        "../..",
        "a b",
        "a=1+b=0",
        "-",
        ".",
    ),
    *("/", "/dev/zero", "/dev/null", "no/such/file", "$HOME", "`id`", "%s", "(", "[a-z", "**", "\\", "'", '"', "<b>"),
    *([], {}, [None], [[]], [1, 1], ["a", "a"], {"": 1}, {"a": None}, {"a\nb": 1}, {"x" * 300: 1}, {1: 2}, {None: 1}),
    *(["x"] * 2000, list(range(3000)), nested(30), nested(300), {f"k{i}": i for i in range(500)}),
    *({"start": 0, "stop": 1, "count": 10**9}, {"start": 0, "stop": 0, "count": 3}, [math.nan], [1e16], [1e-9, 2e-9]),
    *(datetime.date(2024, 1, 1), b"\xff\x00", "summary", "all", "base", "theta1", "neutral", "positive", "perplexity"),
]
KEYS = [
    "",
    " ",
    "a\nb",
    "tiny\n",
    "é",
    "x" * 181,
    "x" * 300,
    "a/b",
    "..",
    "a=1",
    "{x}",
    "1",
    "<<",
    "extends",
    "kind",
    "seed",
]
KEYS += sorted(rule_names())[:8]


def walk(tree: Tree, keys: Keys = ()) -> Iterator[Keys]:
    """Places of all values below the top."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in entries:
        yield (*keys, key)
        yield from walk(value, (*keys, key))


def at(tree: Tree, keys: Keys) -> Tree:
    for key in keys:
        tree = tree[key]
    return tree


def changed_value(rng: random.Random, tree: Tree, keys: Keys) -> str:
    """Change ``tree`` at ``keys`` in place; returns what was done."""
    parent, key = at(tree, keys[:-1]), keys[-1]
    value, place = parent[key], ".".join(map(str, keys))
    match rng.choice(("nasty", "nasty", "nasty", "delete", "rename", "twin", "type", "other", "number", "wrap")):
        case "delete":
            del parent[key]
            return f"delete {place}"
        case "rename" if isinstance(parent, dict):
            new = rng.choice(KEYS) if rng.random() < 0.7 else f"{key}x"
            items = [(new if name == key else name, item) for name, item in parent.items()]
            parent.clear()
            parent.update(items)
            return f"rename {place} to {new!r:.40}"
        case "twin":
            if isinstance(parent, list):
                parent.append(copy.deepcopy(value))
            else:
                parent[f"{key}-two"] = copy.deepcopy(value)
            return f"twice {place}"
        case "type":
            parent[key] = rng.choice((str(value), [value], {"a": value}, bool(value)))
            return f"{place} as {type(parent[key]).__name__}"
        case "other":
            other = rng.choice(list(walk(tree)))
            parent[key] = copy.deepcopy(at(tree, other))
            return f"{place} as {'.'.join(map(str, other))}"
        case "number" if isinstance(value, int | float):
            parent[key] = rng.choice((-value, value * 1000, value / 7, value + 0.5, value * 10**12, 1 / (value or 1)))
            return f"{place}: {parent[key]}"
        case "wrap":
            parent[key] = value[0] if isinstance(value, list) and value else [value, value]
            return f"wrap {place}"
    parent[key] = copy.deepcopy(rng.choice(NASTY))
    return f"{place}: {parent[key]!r:.60}"


def changed_values(rng: random.Random, tree: Tree) -> tuple[str, bytes]:
    done = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
        keys = rng.choice(list(walk(tree)))
        # Most values lie deep, but some that lie high are to be hit, too.
        done.append(changed_value(rng, tree, keys if rng.random() < 0.7 else keys[: rng.randint(1, len(keys))]))
    text = yaml.safe_dump(tree, allow_unicode=True, sort_keys=False, width=1000)
    return "; ".join(done), text.encode("utf-8", "surrogatepass")


def aliases(form: Callable[[str], str], levels: int = 9) -> str:
    """A bomb: each level refers nine times to the one before."""
    lines = [f"b{i}: &b{i} {form(f'*b{i - 1}')}" for i in range(1, levels + 1)]
    return "\n".join(["", "b0: &b0 {k: 1}", *lines, ""])


BOMBS = {
    "lists": aliases(lambda alias: "[" + ", ".join([alias] * 9) + "]"),
    "mappings": aliases(lambda alias: "{" + ", ".join(f"k{i}: {alias}" for i in range(9)) + "}"),
    "merges": aliases(lambda alias: "{<<: [" + ", ".join([alias] * 9) + "]}"),
}
TAILS = [
    *(
        "\nx: &x [*x]\n",
        "\nx: &x {y: *x}\n",
        "\nx: &x {<<: *x}\n",
        "\nx: *unknown\n",
        "\nx:\n\ty: 1\n",
        "\n- a\n",
        "\nx: [\n",
    ),
    *(
        "\n---\nstudy: two\n",
        "\n...\n",
        "\n%YAML 9.9\n",
        "\nstudy: again\n",
        "\n? [a]\n: 1\n",
        "\n<<: 1\n",
        "\n!!x y: 1\n",
    ),
    *(
        "\n__use_yte__: true\n",
        "\nx: !!python/object/apply:os.getcwd []\n",
        "\nx: 2024-99-99\n",
        "\nx: !!int a\n",
        "\n=: 1\n",
    ),
    *(f"\nx: {'1' * 5000}\n", f"\nx: 0x{'f' * 5000}\n", "\nx: !!float ''\n", "\nx: !!bool a\n", "\nx: !!timestamp a\n"),
    *(
        "\nx: " + "[" * 3000,
        "\nx: " + "{a: " * 500 + "1" + "}" * 500 + "\n",
        "\nx: !!binary '=='\n",
        '\nx: "\\ud800"\n',
    ),
    *BOMBS.values(),
]


def changed_text(rng: random.Random, text: str) -> tuple[str, bytes]:
    lines = text.split("\n")
    number = rng.randrange(len(lines))
    line = lines[number]
    match rng.choice(
        ("twice", "indent", "tab", "cut", "character", "drop", "tail", "tail", "tail", "encoding", "tree")
    ):
        case "twice":
            lines.insert(number, line)
            return f"line {number + 1} twice", "\n".join(lines).encode()
        case "indent":
            lines[number] = rng.choice((" ", "  ", "   ")) + line
            return f"line {number + 1} indented", "\n".join(lines).encode()
        case "tab":
            lines[number] = line.replace("  ", "\t", 1)
            return f"tab in line {number + 1}", "\n".join(lines).encode()
        case "cut":
            place = rng.randrange(len(text))
            return f"cut at {place}", text[:place].encode()
        case "character":
            place, new = rng.randrange(len(text)), rng.choice("{}[]:,&*!|>'\"%@`#-? \t\n\0\x07é")
            return f"{new!r} at {place}", (text[:place] + new + text[place + 1 :]).encode()
        case "drop":
            del lines[number]
            return f"without line {number + 1}", "\n".join(lines).encode()
        case "tail":
            tail = rng.choice(TAILS)
            return f"with {tail!r:.60} at its end", (text + tail).encode()
        case "encoding":
            text = text.replace("The film", "Der Film für")
            name = rng.choice(("latin-1", "utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"))
            return f"in {name}", text.encode(name, "replace")
        case _:
            content = json.dumps(yaml.safe_load(text), indent=rng.choice((None, "\t", 2)))
            if rng.random() < 0.5:
                content = content.replace('"study"', '"study": "one", "study"', 1)
            return "as JSON", content.encode()


def mutate(rng: random.Random, text: str) -> tuple[str, bytes]:
    """What was changed, and the changed file."""
    if rng.random() < 0.65:
        # Through JSON, for YAML's anchors make one object of what several models share.
        return changed_values(rng, json.loads(json.dumps(yaml.safe_load(text))))
    return changed_text(rng, text)


@dataclass(frozen=True)
class Outcome:
    """``kind``: accepted, one line (for each mistake), broken lines, traceback, or slow; ``words``: the error."""

    kind: str
    words: str = ""
    seconds: float = 0


class _Slow(BaseException):
    """The alarm."""


@contextlib.contextmanager
def alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise _Slow

    timers = ((signal.ITIMER_PROF, signal.SIGPROF, seconds), (signal.ITIMER_REAL, signal.SIGALRM, 10 * seconds))
    before = [signal.signal(number, ring) for _, number, _ in timers]
    try:
        for timer, _, limit in timers:
            signal.setitimer(timer, limit)
        yield
    finally:
        for (timer, number, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def plan(path: str) -> None:
    """What a dry run asks of a study. Raises ``UserError``."""
    study = Study(read_config(path))
    config = study.config
    study.targets.results()
    verdicts.inputs(study)
    verdicts.settings(study)
    captions.overview_settings(study)
    leak_plan(study)
    study.judge_settings(config["scorers"])
    for name in config["corpora"]:
        study.corpora[name].input_files()
        study.corpora[name].settings(name, study.declared)
    for name in config["prompts"]:
        study.prompts[name].input_files()
        study.data.prompt_settings(name)
        study.data.prompt_readers(name)
    for name in study.models.trained("language-model") + study.models.trained("classifier"):
        study.models.settings(name)
        study.models.inputs(name)
    for name in study.scored_sweeps():
        study.table_settings(name)
        study.lines.scores(name)
    for name in config["analyses"]:
        study.analysis_settings(name)
        study.analysis_inputs(name)
    for name in config["searches"]:
        study.searches.settings(name)
        study.searches.trial_metrics(name)
    for name, figure in study.declared.figures.items():
        figure.inputs(study)
        figure.settings(study)
        captions.figure_settings(study, name)
    for page in explorer.pages(study):
        explorer.settings(study, page)
        explorer.inputs(study, page)


def try_here(path: str) -> Outcome:
    """Plan the study of a file in this process."""
    started = time.process_time()
    try:
        with alarm(LIMIT):
            plan(path)
    except (UserError, WorkflowError) as error:
        words = str(error)
        # One for each mistake.
        kind = "one line" if all(line.isprintable() for line in words.split("\n")) else "broken lines"
        return Outcome(kind, words, time.process_time() - started)
    except _Slow:
        return Outcome("slow", "".join(traceback.format_exc().splitlines(keepends=True)[-8:]), LIMIT)
    except Exception:
        return Outcome("traceback", "".join(traceback.format_exc().splitlines(keepends=True)[-6:]))
    return Outcome("accepted", seconds=time.process_time() - started)


def try_make(path: str) -> Outcome:
    """Plan it with the commands of ``make``, in processes of their own."""
    commands = (
        ["lm_interpolation", "check", "--syntax", path],
        ["lm_interpolation", "check", "--files", path],
        ["snakemake", "--dry-run", "--quiet", "rules", "--configfile", path],
    )
    for command in commands:
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        if "Traceback" in output:
            return Outcome("traceback", output)
        if done.returncode:
            return Outcome("one line", output)
    return Outcome("accepted")


def agree(here: Outcome, there: Outcome) -> bool:
    """Whether both say the same, up to how a message starts."""
    lines = (line.removeprefix("config: ") for line in here.words.split("\n"))
    return here.kind == there.kind and all(line in there.words for line in lines)


def make_stand_ins(folder: Path) -> None:
    """What config/minimal.yaml reads of the embedded study, as far as a dry run looks at it."""
    demo = folder / "results" / "demo"
    corpus = demo / "corpora" / "judge-grammar"
    corpus.mkdir(parents=True)
    rows = {"text": ["It was good.", "Was it good."], "label": ["acceptable", "unacceptable"]}
    for split in ("train", "dev", "test"):
        pq.write_table(pa.table(rows), corpus / f"{split}.parquet")
    labels = {"id2label": {"0": "acceptable", "1": "unacceptable"}, "architectures": ["GPT2ForSequenceClassification"]}
    for name, settings in (("base", {"architectures": ["GPT2LMHeadModel"]}), ("grammar-judge", labels)):
        model = demo / "models" / name
        model.mkdir(parents=True)
        shape = {"model_type": "gpt2", "n_embd": 4, "n_positions": 128, "vocab_size": 2, "tie_word_embeddings": True}
        (model / "config.json").write_text(json.dumps(shape | settings))
        tokenizer = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}, "added_tokens": []}
        (model / "tokenizer.json").write_text(json.dumps(tokenizer))
        save_file({"transformer.wte.weight": np.zeros((2, 4), np.float32)}, model / "model.safetensors")


def campaign(count: int, seed: int, sample: int, bases: Sequence[str] = BASES) -> list[str]:
    """Try so many mutations in the working directory, and ``sample`` of them by ``make``, too; returns the faults."""
    rng = random.Random(seed)
    counts: collections.Counter[str] = collections.Counter()
    faults, longest = [], 0.0
    again = set(rng.sample(range(count), sample))
    for number in range(count):
        base = bases[number % len(bases)]
        what, content = mutate(rng, (ROOT / base).read_text(encoding="utf-8"))
        path = f"fuzz-{seed}-{number}.yaml"
        Path(path).write_bytes(content)
        outcome = try_here(path)
        counts[outcome.kind] += 1
        longest = max(longest, outcome.seconds)
        if outcome.kind not in ("accepted", "one line"):
            faults.append(f"{outcome.kind}: {base}, {what} ({path})\n{outcome.words}")
        elif number in again:
            there = try_make(path)
            counts["by make: the same" if agree(outcome, there) else "by make: another"] += 1
            if not agree(outcome, there):
                faults.append(f"{base}, {what} ({path})\n{outcome}\nby make: {there}")
    kinds = ("one line", "accepted", "broken lines", "traceback", "slow")
    print(f"seed {seed}, {count} mutations: " + ", ".join(f"{kind} {counts[kind]}" for kind in kinds), end="")
    made = [f"{kind} {number}" for kind, number in counts.items() if kind not in kinds]
    print(f"; longest {longest:.1f} s{''.join(f'; {words}' for words in made)}", flush=True)
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description="Mutate configurations and plan them.")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=20, help="so many of them by make as well")
    parser.add_argument("--bases", nargs="+", default=BASES, help="configurations to mutate")
    parser.add_argument("--keep", type=Path, help="folder for the files, else a temporary one")
    options = parser.parse_args()
    # Mutations hold what no terminal takes.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        copy_workflow(folder)
        shutil.copytree(ROOT / "config", folder / "config", dirs_exist_ok=True)
        make_stand_ins(folder)
        os.chdir(folder)
        for base in options.bases:
            assert try_here(str(ROOT / base)).kind == "accepted", try_here(str(ROOT / base)).words
        faults = campaign(options.count, options.seed, min(options.sample, options.count), options.bases)
    print("\n".join(faults))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
