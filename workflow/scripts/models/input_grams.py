"""Gram matrices of what the linear layers of a language model read."""

from transformers import AutoModelForCausalLM

from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.models.input_grams import input_grams
from lm_interpolation.models.loading import load_model
from lm_interpolation.models.model_statistics import first_texts, training_sequences, write_statistic


def main(job: Job, device: str, threads: int, gpus: int, batch_size: int, *, classes: list[str], limit: int) -> None:
    prepare_job(device, threads, gpus)
    texts = first_texts(job.input.corpus, classes, limit)
    model, tokenizer = load_model(AutoModelForCausalLM, job.input.model, device)
    sequences, _ = training_sequences(model, tokenizer, texts)
    progress = Progress(f"{job.wildcards.statistic} of {job.wildcards.model}", len(sequences), "texts")
    write_statistic(input_grams(model, sequences, batch_size, progress.update), job.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
