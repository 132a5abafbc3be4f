"""What a full run of a study costs: jobs, GPU hours and disk, estimated before anything runs. Prints Markdown.

    .venv/bin/python -m benchmarks.paper_cost config/paper.yaml

Jobs are those of a dry run. GPU hours are floating-point operations over an assumed speed, not measurements: 2 N for a
token that is read or generated and 6 N for one that is trained on, N the model's parameters (Kaplan et al. 2020, table
1), without attention over the context, which adds a few percent at these lengths. All models run in fp32, but for
trainings with `precision: bf16`; PyTorch uses no TF32 by itself. Every GPU job has a start besides: imports, and
weights on their way to the GPU.

Run it in the folder of the Snakefile. Only the prompts have to be there.
"""

import argparse
import math
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_interpolation.data.prompt_sources.jsonl import load_jsonl_prompts
from lm_interpolation.points.algebra import Point
from lm_interpolation.study.judged import judged_samples
from lm_interpolation.study.opening import read_study
from lm_interpolation.study.study import Study

# Counted on models built from the configurations of these repositories with transformers 5.23.
PARAMETERS = {
    "openai-community/gpt2-large": 774_030_080,
    "openai-community/gpt2-xl": 1_557_611_200,
    "distilbert/distilgpt2": 81_912_576,
    "cardiffnlp/twitter-roberta-base-sentiment": 124_647_939,
    "textattack/roberta-base-CoLA": 124_647_170,
}
# Texts of dev and of test by class, and GPT-2 tokens per text: SST-5 (Socher et al. 2013), counted on its trees.
TEXTS: dict[str, dict[str, dict[str, int]]] = {
    "SetFit/sst5": {
        "dev": {"negative": 428, "neutral": 229, "positive": 444},
        "test": {"negative": 912, "neutral": 389, "positive": 909},
    }
}
TOKENS_PER_TEXT = 24
# GPT-2 tokens of a DExperts prompt in the mean, counted on the neutral ones (7.6) and the others (9.0).
PROMPT_TOKENS = 8.3
# Of allenai/c4, en: its card gives 305 GB in 1024 training files; Raffel et al. 2020 about 156 billion tokens.
STREAM_BYTES, STREAM_TOKENS, STREAM_FILES = 305e9, 156e9, 1024

# Assumed FLOP/s of an A100 in fp32: of its 19.5 T, 60 % and, while generating, 30 %.
FP32, GENERATION = 0.6 * 19.5e12, 0.3 * 19.5e12

# Assumptions on disk: bytes of a text of 30 tokens, and of its scores by one scorer, in compressed Parquet.
TEXT_BYTES, SCORE_BYTES = 80, 30


@dataclass(frozen=True)
class Speed:
    """Effective floating-point operations per second of one GPU."""

    bf16: float
    fp32: float
    generation: float
    start: float
    """Seconds before a GPU job computes."""


@dataclass(frozen=True)
class Job:
    """GPU work of one job."""

    stage: str
    flops: float
    speed: float
    gpus: int = 1

    def hours(self, start: float) -> float:
        """GPU hours, start included."""
        return (self.flops / self.speed + start * self.gpus) / 3600


class Estimate:
    """The GPU jobs of a study."""

    def __init__(self, study: Study, speed: Speed) -> None:
        self.study, self.config, self.speed = study, study.config, speed
        self.prompts = {
            name: len(load_jsonl_prompts(prompts.settings()["prompts"], name))
            for name, prompts in study.prompts.items()
        }
        self.tokens = PROMPT_TOKENS + self.config["generation"]["max_new_tokens"]

    def parameters(self, model: str) -> int:
        """Number of parameters of a model, that of the one on the hub that it goes back to."""
        start = self.config["models"][model]["start"]
        if "hub" in start:
            if start["hub"] not in PARAMETERS:
                raise SystemExit(f"{start['hub']}: parameters unknown; add them to PARAMETERS in {__file__}")
            return PARAMETERS[start["hub"]]
        parent = start.get("model", start.get("architecture_of"))
        if parent is None:
            raise SystemExit(f"models.{model}: not from the hub; this estimate is for studies of hub models")
        return self.parameters(parent)

    def jobs(self) -> Iterator[Job]:
        """All GPU jobs, roughly in the order in which they run; next tokens and linearity are too small to count."""
        yield from self._trainings()
        yield from self._texts()
        yield from self._scores()
        yield from self._losses()

    def texts(self, prompts: str) -> int:
        """Number of continuations of a prompt set at one point."""
        return self.prompts[prompts] * self.study.declared.samples_of(prompts)

    def _training(self, stage: str, model: str, settings: Mapping[str, Any]) -> Job:
        tokens = settings["steps"] * settings["batch_size"] * settings["block_length"]
        speed = self.speed.bf16 if settings["precision"] == "bf16" else self.speed.fp32
        return Job(stage, 6 * self.parameters(model) * tokens, speed, settings["processes"])

    def _trainings(self) -> Iterator[Job]:
        for name, model in self.config["models"].items():
            if "training" in model:
                yield self._training(f"train {name}", name, model["training"])
        for name, search in self.config["searches"].items():
            for path in self.study.searches.trial_metrics(name):
                settings = self.study.searches.trial_settings(name, Path(path).parent.name)["model"]["training"]
                yield self._training("search", search["model"], settings)

    def _texts(self) -> Iterator[Job]:
        seen: set[tuple[str, str, Point]] = set()
        for (prompts, _), line in self.study.lines.all.items():
            for point in line.points:
                if (line.space, prompts, point) not in seen:
                    seen.add((line.space, prompts, point))
                    logits = line.space == "logits"
                    # A merged point is one model; in layers all of the point run side by side.
                    alone = point.models[:1] if line.space == "weights" else point.models
                    models = self.study.ensemble_models(point.id) if logits else alone
                    flops = 2 * sum(map(self.parameters, models)) * self.texts(prompts) * self.tokens
                    yield Job("generate, ensembles" if logits else "generate", flops, self.speed.generation)

    def _scores(self) -> Iterator[Job]:
        scored = {
            (prompts, line, scorer)
            for sweep in self.study.scored_sweeps()
            for path in self.study.lines.scores(sweep)
            for prompts, line, scorer in [(*Path(path).parts[-3:-1], Path(path).stem)]
        }
        for prompts, line, scorer in sorted(scored):
            spec = self.config["scorers"][scorer]
            if "model" in spec:
                judged = judged_samples(self.study.declared, scorer, prompts)
                each = self.texts(prompts) if judged is None else self.prompts[prompts] * judged
                texts = each * len(self.study.lines.all[prompts, line].points)
                flops = 2 * self.parameters(spec["model"]) * texts * self.tokens
                yield Job(f"score {scorer}", flops, self.speed.fp32)

    def _losses(self) -> Iterator[Job]:
        for name in self.study.analyses("loss"):
            spec = self.config["analyses"][name]
            corpus = TEXTS[self.config["corpora"][spec["corpus"]]["id"]][spec["split"]]
            texts = sum(corpus[label] for label in spec.get("classes", corpus))
            sweep = self.study.sweeps[spec["sweep"]]
            tokens = min(texts, spec.get("limit") or math.inf) * TOKENS_PER_TEXT
            flops = 2 * self.parameters(sweep.models[0]) * tokens * len(sweep.points)
            yield Job("losses", flops, self.speed.fp32)

    def disk(self) -> Iterator[tuple[str, float]]:
        """(what, bytes)."""
        models = self.config["models"]
        yield "models, fp32", sum(4.0 * self.parameters(name) for name in models)
        hub = {model["start"]["hub"] for model in models.values() if "hub" in model["start"]}
        yield "hub cache: models", sum(4.0 * PARAMETERS[name] for name in hub)
        streamed = sum(
            model["training"]["steps"] * model["training"]["batch_size"] * model["training"]["block_length"]
            for model in models.values()
            if "data" in model and model["data"]["corpus"] in self.study.data.streamed()
        )
        files = math.ceil(streamed / STREAM_TOKENS * STREAM_FILES)
        yield f"hub cache: {files} files of C4", files * STREAM_BYTES / STREAM_FILES
        texts = sum(self.texts(prompts) * len(line.points) for (prompts, _), line in self.study.lines.all.items())
        yield (
            f"{texts / 1e6:.0f} million texts and their scores",
            texts * (TEXT_BYTES + SCORE_BYTES * len(self.config["scorers"])),
        )
        merged = [4.0 * self.parameters(point.models[0]) for point in self._merged()]
        yield "each merged checkpoint, while it waits for its texts", max(merged)
        yield f"all {len(merged)} of them, were none deleted", sum(merged)
        largest = max(self.parameters(name) for name, model in models.items() if "training" in model)
        # Weights and two moments, of the last two, while a third is written.
        yield "each running training of the largest model, to resume it", 3 * 12.0 * largest

    def _merged(self) -> list[Point]:
        """The points, once for each of their prompt sets."""
        return [point for line in self.study.lines.all.values() if line.space == "weights" for point in line.points]


def dry_run(config: str) -> str:
    """Snakemake's table of jobs per rule."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", "--configfile", config]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    table = re.search(r"^-+  -+\n(.*?^total +\d+)", done.stdout + done.stderr, re.MULTILINE | re.DOTALL)
    if table is None:
        return "nothing to be done"
    rows = [line.split() for line in table[1].splitlines()]
    return "\n".join(["| rule | jobs |", "|---|---:|", *(f"| {rule} | {count} |" for rule, count in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="config file of the study")
    parser.add_argument("--bf16", type=float, default=0.4 * 312e12, help="FLOP/s in bf16: 40 %% of an A100's 312 T")
    parser.add_argument("--fp32", type=float, default=FP32, help="FLOP/s in fp32: 60 %% of an A100's 19.5 T")
    parser.add_argument("--generation", type=float, default=GENERATION, help="of generation: 30 %% of 19.5 T")
    parser.add_argument("--start", type=float, default=30, help="seconds before a GPU job computes")
    arguments = parser.parse_args()
    speed = Speed(arguments.bf16, arguments.fp32, arguments.generation, arguments.start)
    estimate = Estimate(Study(read_study([arguments.config])), speed)

    print(f"### Jobs of {arguments.config}\n\n{dry_run(arguments.config)}\n")
    print(
        f"### GPU hours, estimated from FLOPs at {speed.bf16 / 1e12:.3g} TFLOP/s (bf16), {speed.fp32 / 1e12:.3g} "
        f"(fp32) and {speed.generation / 1e12:.3g} (generation), {speed.start:g} s of start a job\n"
    )
    print("| stage | jobs | PFLOP | GPU hours | longest job, hours |\n|---|---:|---:|---:|---:|")
    jobs = list(estimate.jobs())
    for stage in dict.fromkeys(job.stage for job in jobs):
        print(_row(stage, [job for job in jobs if job.stage == stage], speed.start))
    print(_row("total", jobs, speed.start))
    print("\n### Disk, estimated\n\n| what | GB |\n|---|---:|")
    for what, size in estimate.disk():
        print(f"| {what} | {size / 1e9:.3g} |")


def _row(stage: str, jobs: list[Job], start: float) -> str:
    hours = [job.hours(start) for job in jobs]
    longest = max(hour / job.gpus for hour, job in zip(hours, jobs, strict=True))
    pflop = sum(job.flops for job in jobs) / 1e15
    return f"| {stage} | {len(jobs)} | {pflop:,.0f} | {sum(hours):.1f} | {longest:.1f} |"


if __name__ == "__main__":
    main()
