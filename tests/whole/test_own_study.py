"""A user's own study: base models of other architectures, and a complete run from two files of texts."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from benchmarks.dag import copy_workflow
from lm_interpolation.models.importing import import_model
from lm_interpolation.models.language_training import train_language_model
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge
from lm_interpolation.scores.perplexity import score_perplexity
from lm_interpolation.texts.generation import Sampling, generate

pytestmark = [pytest.mark.snakemake, pytest.mark.usefixtures("warm_python")]

CONTEXT = 48
ROTARY = {
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": CONTEXT,
}
SIZES = {
    "gpt2": {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": CONTEXT},
    "gpt_neox": ROTARY,
    "llama": ROTARY,
    "opt": {
        "num_hidden_layers": 2,
        "hidden_size": 16,
        "word_embed_proj_dim": 16,
        "num_attention_heads": 2,
        "ffn_dim": 24,
        "max_position_embeddings": CONTEXT,
    },
}
FORMAL = [f"I should be most grateful if you would consider matter number {i} at once." for i in range(60)]
CASUAL = [f"hey can u look at thing {i} lol thx" for i in range(60)]


def save_base(directory: Path, tokenizer: Path, model_type: str, tied: bool) -> Path:
    """A random base model as somebody has it on disk."""
    torch.manual_seed(0)
    options = {"vocab_size": 300, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "tie_word_embeddings": tied}
    AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **SIZES[model_type], **options)).save_pretrained(
        directory
    )
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(directory)
    return directory


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("model_type", SIZES)
def test_every_architecture_goes_the_whole_way(tmp_path, tiny_tokenizer, model_type, tied):
    base = tmp_path / "base"
    import_model(str(save_base(tmp_path / "own", tiny_tokenizer, model_type, tied)), None, "language-model", base)
    settings = {
        **{"steps": 4, "batch_size": 4, "block_length": 16, "learning_rate": 0.01, "schedule": "linear"},
        **{"warmup_steps": 0, "weight_decay": 0.0, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8},
        **{"max_grad_norm": 1.0, "precision": "fp32", "seed": 0, "log_steps": 2, "eval_steps": 4, "save_steps": 4},
    }
    for name, texts in (("formal", FORMAL), ("casual", CASUAL)):
        train_language_model(
            name=name,
            train=texts[:50],
            dev=texts[50:],
            output=tmp_path / name,
            loss_curve=tmp_path / f"{name}.csv",
            metrics=tmp_path / f"{name}.json",
            scratch=tmp_path / "scratch" / name,
            settings=settings,
            start=base,
        )
    ends = {name: tmp_path / name for name in ("formal", "casual")}
    merge(Point.of({"formal": 1.5, "casual": -0.5}), ends, tmp_path / "merged")

    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    embedding, head = merged.get_input_embeddings().weight, merged.get_output_embeddings().weight
    assert torch.equal(embedding, head) == tied
    states = {name: AutoModelForCausalLM.from_pretrained(path).state_dict() for name, path in ends.items()}
    for name, value in merged.state_dict().items():
        expected = 1.5 * states["formal"][name].double() - 0.5 * states["casual"][name].double()
        torch.testing.assert_close(value, expected.float(), rtol=1e-6, atol=1e-8)

    prompts = pd.DataFrame({"row": [0, 1], "text": ["the film was", "but"]})
    texts = generate(tmp_path / "merged", prompts, Sampling(top_p=0.9, max_new_tokens=8, samples=3, seed=0), 4)
    assert len(texts) == 6
    starts = texts["row"].map(prompts.set_index("row")["text"]).tolist()
    scores = score_perplexity(base, starts, texts["continuation"].tolist(), 4)
    assert scores["nll_text"].gt(0).all()


@pytest.mark.snakemake
@pytest.mark.slow
def test_two_files_of_texts_a_model_of_ones_own_and_a_scorer_trained_on_them(tmp_path, tiny_tokenizer):
    copy_workflow(tmp_path)
    save_base(tmp_path / "llama", tiny_tokenizer, "llama", tied=False)
    (tmp_path / "formal.txt").write_text("\n".join(FORMAL))
    (tmp_path / "casual.txt").write_text("\n".join(CASUAL))
    study = yaml.safe_load((Path(__file__).parents[2] / "config" / "minimal.yaml").read_text(encoding="utf-8"))
    study["corpora"]["sentences"] = {
        "source": "lines",
        "class_files": {"acceptable": "formal.txt", "unacceptable": "casual.txt"},
        "fractions": {"dev": 0.1, "test": 0.1},
    }
    short = {"steps": 3, "batch_size": 4, "block_length": 16, "learning_rate": 0.01}
    study["models"]["base"]["start"] = {"directory": "llama"}
    for name in ("acceptable", "unacceptable"):
        study["models"][name]["training"] = short
    study["models"]["acceptability-judge"] = {
        "task": "classifier",
        "start": {"model": "base"},
        "data": {"corpus": "sentences"},
        "training": short,
    }
    study["sweeps"]["line"]["grid"] = {"alpha": [0, 1]}
    study["prompts"]["openings"]["texts"] = ["I should", "hey"]
    study["generation"] |= {"samples": 2, "max_new_tokens": 5}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(study))

    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "own.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pd.read_csv(tmp_path / "results" / "minimal" / "tables" / "line.csv")
    assert set(table["scorer"]) == {"acceptability", "perplexity"}
    assert set(table["alpha"]) == {0, 1}
    assert table["estimate"].notna().all()
    assert (tmp_path / "results" / "minimal" / "figures" / "acceptability.pdf").exists()
