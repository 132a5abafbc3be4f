"""The diagonal of the empirical Fisher information of a language model."""

from transformers import AutoModelForCausalLM

from lm_interpolation.jobs.compute import prepare_job
from lm_interpolation.jobs.runtime import Job, Progress, run_job
from lm_interpolation.models.fisher import fisher_information
from lm_interpolation.models.loading import load_model
from lm_interpolation.models.model_statistics import first_texts, training_sequences, write_statistic


def main(job: Job, device: str, threads: int, gpus: int, *, classes: list[str], limit: int) -> None:
    prepare_job(device, threads, gpus)
    texts = first_texts(job.input.corpus, classes, limit)
    model, tokenizer = load_model(AutoModelForCausalLM, job.input.model, device)
    sequences, special = training_sequences(model, tokenizer, texts)
    progress = Progress(f"{job.wildcards.statistic} of {job.wildcards.model}", len(sequences), "texts")
    write_statistic(fisher_information(model, sequences, special.context, progress.update), job.output[0])


if __name__ == "__main__":
    run_job(main, snakemake)
