"""Importing models from folders with a few thousand weights: what is read, what is refused, and with which message."""

import ast
import json
import math
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    Gemma3ForConditionalGeneration,
    Gemma3ForSequenceClassification,
    GPT2LMHeadModel,
    XLNetConfig,
    XLNetLMHeadModel,
)

from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models import probing
from lm_interpolation.models.importing import import_model
from lm_interpolation.models.model_folders import TOKENIZER_FILES, check_folder, model_files
from tests.edited_models import edit_config, edited, flipped


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory, tiny_gpt2: Path) -> Path:
    """A classifier of three classes with random weights."""
    folder = tmp_path_factory.mktemp("judge") / "model"
    names = {0: "negative", 1: "neutral", 2: "positive"}
    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(tiny_gpt2, id2label=names, label2id={name: k for k, name in names.items()})
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(folder)
    return folder


def to_pickle(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def to_bf16(folder: Path) -> None:
    weights = {name: tensor.bfloat16() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    edit_config(dtype="bfloat16")(folder)


def without_pad_token(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in values.items() if key != "pad_token"}))
    edit_config(pad_token_id=None)(folder)


@pytest.mark.parametrize("edit", [lambda folder: None, to_pickle, to_bf16, without_pad_token])
def test_a_local_model_is_imported_in_fp32_with_its_tokenizer(
    edit: Callable[[Path], Any], tmp_path: Path, tiny_gpt2: Path
) -> None:
    source = edited(tiny_gpt2, tmp_path / "source", edit)
    import_model(str(source), None, "language-model", tmp_path / "model")
    weights, expected = (load_file(folder / "model.safetensors") for folder in (tmp_path / "model", tiny_gpt2))
    assert weights.keys() == expected.keys()
    for name, tensor in weights.items():
        rounded = expected[name].bfloat16().float() if edit is to_bf16 else expected[name]
        assert tensor.dtype == torch.float32 and torch.equal(tensor, rounded), name
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert model.dtype == torch.float32 and model.config.pad_token_id == tokenizer.pad_token_id == 0
    assert tokenizer.encode("the film") == AutoTokenizer.from_pretrained(tiny_gpt2).encode("the film")


def test_a_damaged_model_of_another_study_is_not_imported(tmp_path: Path, tiny_gpt2: Path) -> None:
    import_model(str(tiny_gpt2), None, "language-model", tmp_path / "theirs")
    import_model(str(tmp_path / "theirs"), None, "language-model", tmp_path / "ours")
    weights = tmp_path / "theirs" / "model.safetensors"
    weights.write_bytes(flipped(weights.read_bytes(), -3))
    with pytest.raises(UserError, match=rf"^{weights}: damaged .*; copy the model again$"):
        import_model(str(tmp_path / "theirs"), None, "language-model", tmp_path / "again")


def test_a_classifier_is_imported_with_its_head(tmp_path: Path, judge: Path) -> None:
    import_model(str(judge), None, "classifier", tmp_path / "model")
    head, expected = (load_file(folder / "model.safetensors")["score.weight"] for folder in (tmp_path / "model", judge))
    assert torch.equal(head, expected)
    assert AutoConfig.from_pretrained(tmp_path / "model").id2label == {0: "negative", 1: "neutral", 2: "positive"}


def test_a_classifier_as_language_model_is_announced(
    tmp_path: Path, judge: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import_model(str(judge), None, "language-model", tmp_path / "model")
    assert "1 weights have no place in a language-model: score.weight" in capfd.readouterr().err


class Malicious:
    def __reduce__(self) -> Any:
        return os.mkdir, ("malicious-code-was-here",)


def shorten(file: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / file).write_bytes((folder / file).read_bytes()[:1000])


def remove(pattern: str) -> Callable[[Path], Any]:
    return lambda folder: [path.unlink() for path in folder.glob(pattern)]


def with_nan(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["transformer.wpe.weight"][2, 5] = math.nan
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def longer_tokenizer(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["extra"])
    tokenizer.save_pretrained(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            remove("tokenizer*"),
            r"source: no tokenizer \(tokenizer\.json, or vocab\.json\); save it with save_pretrained",
        ),
        (remove("tokenizer.json"), r"source: no tokenizer"),
        (longer_tokenizer, r"its tokenizer has 301 tokens, but it embeds 300"),
        (remove("*.safetensors"), r"source: no weights \(model\.safetensors\); save the model with save_pretrained"),
        (remove("config.json"), r"source/config\.json: missing; not a model directory"),
        (edit_config(model_type="unheard-of"), r"cannot load model .*unheard-of"),
        (shorten("model.safetensors"), r"source/model\.safetensors: truncated"),
        (lambda folder: (to_pickle(folder), shorten("pytorch_model.bin")(folder)), r"cannot load model"),
        (edit_config(n_embd=32), r"lacks weights of a language-model: .*transformer\.h\.0"),
        (edit_config(n_layer=2), r"lacks weights of a language-model: .*transformer\.h\.1"),
        (with_nan, r"weight transformer\.wpe\.weight is not finite"),
    ],
)
def test_broken_local_models(edit: Callable[[Path], Any], message: str, tmp_path: Path, tiny_gpt2: Path) -> None:
    source = edited(tiny_gpt2, tmp_path / "source", edit)
    with pytest.raises(UserError, match=message) as caught:
        import_model(str(source), None, "language-model", tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_a_language_model_is_no_classifier(tmp_path: Path, tiny_gpt2: Path) -> None:
    with pytest.raises(UserError, match=r"lacks weights of a classifier: \['score.weight'\]; is it a model of another"):
        import_model(str(tiny_gpt2), None, "classifier", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_code_in_a_pickle_is_not_run(tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = edited(tiny_gpt2, tmp_path / "source", remove("*.safetensors"))
    torch.save({"transformer.wte.weight": Malicious()}, source / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"cannot load model"):
        import_model(str(source), None, "language-model", tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_code_in_a_repository_is_not_run_and_nobody_is_asked(
    tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "y")
    names = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    source = edited(tiny_gpt2, tmp_path / "source", edit_config(model_type="own", auto_map=names))
    (source / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match=r"cannot load model .*custom code"):
        import_model(str(source), None, "language-model", tmp_path / "model")
    assert not asked and not (tmp_path / "ran").exists()


def test_a_hub_model_is_found_in_the_cache_without_network(
    tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--some--model"
    commits = {"old": "a" * 40, "main": "b" * 40}
    for revision, commit in commits.items():
        edited(tiny_gpt2, repository / "snapshots" / commit, lambda folder: None)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / revision).write_text(commit)
    path = repository / "snapshots" / commits["old"] / "model.safetensors"
    weights = load_file(path)
    weights["transformer.ln_f.bias"].fill_(0.5)
    save_file(weights, path, {"format": "pt"})

    for revision, value in (("old", 0.5), (commits["old"], 0.5), ("main", 0.0), (commits["main"], 0.0)):
        import_model("some/model", revision, "language-model", tmp_path / "model")
        assert (load_file(tmp_path / "model" / "model.safetensors")["transformer.ln_f.bias"] == value).all()
    for source, revision in (("some/model", "v2"), ("some/other", "main")):
        with pytest.raises(UserError, match=rf"cannot list the files of model {source} at {revision}: .*hub cache"):
            import_model(source, revision, "language-model", tmp_path / "new")
    assert not (tmp_path / "new").exists()


# --- what is in a folder


def refused(source: Path, target: Path, task: str = "language-model") -> str:
    """The one line with which an import ends."""
    with pytest.raises(UserError) as caught:
        import_model(str(source), None, task, target)
    assert "\n" not in str(caught.value) and not target.exists()
    return str(caught.value)


def save_random(model: Any, folder: Path, tokenizer: Path) -> Path:
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
    return folder


def random_model(kind: str, folder: Path, tokenizer: Path, **values: Any) -> Path:
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "vocab_size": 300}
    common = sizes | {"num_key_value_heads": 1, "max_position_embeddings": 64}
    config = AutoConfig.for_model(kind, **ids, **(values if kind == "mpt" else common | values))
    return save_random(AutoModelForCausalLM.from_config(config), folder, tokenizer)


def test_what_lies_beside_a_model_is_not_read(tmp_path: Path, tiny_gpt2: Path) -> None:
    source = edited(tiny_gpt2, tmp_path / "source", lambda folder: None)
    before = model_files(source)
    (source / "README.md").write_text("hello")
    (source / "optimizer.pt").write_bytes(b"pickle")
    os.mkfifo(source / "notes.txt")
    (source / "self").symlink_to(source)
    assert model_files(source) == before
    import_model(str(source), None, "language-model", tmp_path / "model")
    import_model(str(tiny_gpt2), None, "language-model", tmp_path / "expected")
    for path in (tmp_path / "expected").iterdir():
        assert (tmp_path / "model" / path.name).read_bytes() == path.read_bytes()


def test_a_damaged_card_of_an_exported_model_is_not_read(tmp_path: Path, tiny_gpt2: Path) -> None:
    source = edited(tiny_gpt2, tmp_path / "source", lambda folder: (folder / "README.md").write_text("a card"))
    write_checksums(source)
    (source / "README.md").write_text("other words")
    import_model(str(source), None, "language-model", tmp_path / "model")


def test_checksums_of_files_elsewhere_are_not_followed(tmp_path: Path, tiny_gpt2: Path) -> None:
    (tmp_path / "secret").write_text("x")
    source = edited(tiny_gpt2, tmp_path / "source", write_checksums)
    listed = json.loads((source / "checksums.json").read_text()) | {"../secret": [1, "0" * 32]}
    (source / "checksums.json").write_text(json.dumps(listed))
    import_model(str(source), None, "language-model", tmp_path / "model")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize(
    ("file", "make", "words"),
    [
        ("added_tokens.json", os.mkfifo, "is a named pipe, not a file"),
        ("model.safetensors", os.mkfifo, "is a named pipe, not a file"),
        ("config.json", os.mkfifo, "is a named pipe, not a file"),
        ("vocab.txt", make_socket, "is a socket, not a file"),
        ("merges.txt", Path.mkdir, "is a directory, not a file"),
        ("spiece.model", lambda path: path.symlink_to("nowhere"), "cannot be read (No such file or directory)"),
        ("vocab.json", lambda path: path.symlink_to(path), "cannot be read (Too many levels of symbolic links)"),
        ("tokenizer.model", lambda path: path.symlink_to("/dev/zero"), "is a device, not a file"),
    ],
)
def test_a_file_of_a_model_is_a_file(
    file: str, make: Callable[[Path], Any], words: str, tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A socket's path may not be long.
    source = edited(tiny_gpt2, tmp_path / "source", lambda folder: (folder / file).unlink(missing_ok=True))
    monkeypatch.chdir(source)
    make(Path(file))
    assert f"{source / file}: {words}" in refused(source, tmp_path / "model")


def test_links_to_files_are_files(tmp_path: Path, tiny_gpt2: Path) -> None:
    (tmp_path / "source").mkdir()
    for path in tiny_gpt2.iterdir():
        (tmp_path / "source" / path.name).symlink_to(path)
    import_model(str(tmp_path / "source"), None, "language-model", tmp_path / "model")


def test_every_tokenizer_of_transformers_keeps_its_files() -> None:
    folder = Path(transformers.__file__).parent
    names = set()
    for path in [*folder.glob("models/*/tokenization*.py"), *folder.glob("tokenization*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            targets = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
            if targets == ["VOCAB_FILES_NAMES"] and isinstance(node.value, ast.Dict):
                names |= {value.value for value in node.value.values if isinstance(value, ast.Constant)}
    assert {"spiece.model", "vocab.txt", "tokenizer.json"} < names
    assert names <= set(TOKENIZER_FILES)


def adapter(folder: Path) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "some/base", "r": 4}))
    save_file({"lora_A.weight": torch.ones(4, 16)}, folder / "adapter_model.safetensors")


def test_an_adapter_is_no_model(tmp_path: Path, tiny_gpt2: Path) -> None:
    both = edited(tiny_gpt2, tmp_path / "both", adapter)
    line = refused(both, tmp_path / "model")
    assert f"{both}: has both the weights of a model and an adapter (adapter_config.json)" in line
    assert "take the adapter's files out, or merge it" in line
    alone = edited(tmp_path / "both", tmp_path / "alone", remove("model.safetensors"))
    (alone / "config.json").unlink()
    line = refused(alone, tmp_path / "model")
    assert f"{alone}: holds an adapter only, of some/base; merge the two" in line
    assert "AutoModelForCausalLM.from_pretrained('some/base')" in line and "merge_and_unload()" in line
    assert f"PeftModel.from_pretrained(base, '{alone}')" in line


def test_a_gguf_file_is_named(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "tiny.Q4.gguf").write_bytes(b"GGUF")
    told = f"{source}: holds weights as GGUF only (tiny.Q4.gguf); name it as gguf_file, beside this source"
    assert refused(source, tmp_path / "model") == told
    for number in range(6):
        (source / f"{number}.gguf").touch()
    told = "(0.gguf, 1.gguf, 2.gguf, 3.gguf, 4.gguf and 2 more); name one of them as gguf_file, beside this source"
    assert told in refused(source, tmp_path / "model")


@pytest.mark.parametrize(
    ("file", "words"), [("adapter_config.json", "an adapter only"), ("a.gguf", "weights as GGUF only")]
)
def test_the_hub_is_told_the_same(
    file: str, words: str, tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub" / "models--some--model" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / file).write_text("{}")
    with pytest.raises(UserError, match=rf"^some/model: holds {words}"):
        import_model("some/model", "a" * 40, "language-model", tmp_path / "model")


def test_of_a_model_of_texts_and_images_the_language_model_is_taken(tmp_path: Path, tiny_tokenizer: Path) -> None:
    text = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1}
    text |= {"intermediate_size": 24, "head_dim": 8, "sliding_window": 8, "query_pre_attn_scalar": 8}
    text |= {"max_position_embeddings": 64, "vocab_size": 300, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model(
        "gemma3",
        text_config=text,
        vision_config=vision | {"image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        image_token_index=5,
        boi_token_index=6,
        eoi_token_index=7,
    )
    torch.manual_seed(0)
    whole = Gemma3ForConditionalGeneration(config).eval()
    source = save_random(whole, tmp_path / "source", tiny_tokenizer)
    import_model(str(source), None, "language-model", tmp_path / "model")
    part = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    assert part.config.model_type == "gemma3_text"
    ids = torch.arange(8, 40).view(2, 16)
    with torch.no_grad():
        assert torch.equal(part(ids).logits, whole(ids).logits)
    judge = save_random(Gemma3ForSequenceClassification(config), tmp_path / "judge", tiny_tokenizer)
    assert "Gemma3ForSequenceClassification has several parts" in refused(judge, tmp_path / "classifier", "classifier")


def test_a_sentencepiece_model_alone_is_a_tokenizer(tmp_path: Path, tiny_tokenizer: Path) -> None:
    import sentencepiece

    source = random_model("llama", tmp_path / "source", tiny_tokenizer)
    remove("tokenizer*")(source)
    words = ["the film was good but the plot was bad", "a play of words and of the end"] * 20
    with open(source / "tokenizer.model", "wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(words), model_writer=file, vocab_size=60, model_type="bpe", minloglevel=2
        )
    (source / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    check_folder(source, "language-model")
    import_model(str(source), None, "language-model", tmp_path / "model")
    assert (tmp_path / "model" / "tokenizer.json").exists()
    plain = sentencepiece.SentencePieceProcessor(model_file=str(source / "tokenizer.model"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    text = "the plot was good"
    assert tokenizer(text, add_special_tokens=False).input_ids == plain.encode(text)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"id2label": {"0": "score"}}, "the head has one output"),
        ({"problem_type": "regression"}, "problem_type is regression"),
        ({"id2label": None, "label2id": None, "num_labels": 1}, "the head has one output"),
    ],
)
def test_a_head_that_gives_a_number_is_refused(values: dict[str, Any], words: str, tmp_path: Path, judge: Path) -> None:
    source = edited(judge, tmp_path / "source", edit_config(**values))
    line = refused(source, tmp_path / "model", "classifier")
    assert f"{source}/config.json: {words}: this model gives each text a number" in line
    # As a language model its head is not used.
    check_folder(source, "language-model")


# --- what a model can do


def bert(**values: Any) -> Any:
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    return BertForMaskedLM(BertConfig(vocab_size=300, max_position_embeddings=64, **sizes, **values))


def xlnet() -> Any:
    return XLNetLMHeadModel(XLNetConfig(vocab_size=300, d_model=16, n_layer=2, n_head=2, d_inner=32))


@pytest.mark.parametrize(("make", "name"), [(bert, "BertLMHeadModel"), (xlnet, "XLNetLMHeadModel")])
def test_what_reads_later_words_is_no_language_model(
    make: Callable[[], Any], name: str, tmp_path: Path, tiny_tokenizer: Path
) -> None:
    torch.manual_seed(0)
    source = save_random(make(), tmp_path / "source", tiny_tokenizer)
    assert refused(source, tmp_path / "model").startswith(
        f"model {source}: {name} reads the words that come later: it is not a causal language model"
    )


def test_an_encoder_made_causal_is_one(tmp_path: Path, tiny_tokenizer: Path) -> None:
    torch.manual_seed(0)
    source = save_random(bert(is_decoder=True), tmp_path / "source", tiny_tokenizer)
    import_model(str(source), None, "language-model", tmp_path / "model")


MIXTURE = {"num_local_experts": 4, "num_experts_per_tok": 2}
HYBRID = {"layer_types": ["conv", "full_attention"], "block_multiple_of": 16, "conv_L_cache": 3}


def test_a_mixture_of_experts_is_imported(tmp_path: Path, tiny_tokenizer: Path) -> None:
    source = random_model("mixtral", tmp_path / "source", tiny_tokenizer, **MIXTURE)
    import_model(str(source), None, "language-model", tmp_path / "model")


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("lfm2", HYBRID, "Lfm2ForCausalLM cannot generate texts in batches ("),
        ("mamba", {"state_size": 4}, "MambaForCausalLM keeps no cache of keys and values"),
    ],
)
def test_what_cannot_generate_is_refused_before_it_trains(
    kind: str, values: dict[str, Any], words: str, tmp_path: Path, tiny_tokenizer: Path
) -> None:
    source = random_model(kind, tmp_path / "source", tiny_tokenizer, **values)
    line = refused(source, tmp_path / "model")
    assert line.startswith(f"model {source}: {words}") and line.endswith("; choose another architecture")


class BlindToPadding(GPT2LMHeadModel):
    """Reads padding as if it were text."""

    def forward(self, input_ids: Any, past_key_values: Any = None, attention_mask: Any = None, **options: Any) -> Any:
        mask = None if attention_mask is None else torch.ones_like(attention_mask)
        return super().forward(input_ids=input_ids, past_key_values=past_key_values, attention_mask=mask, **options)


class Forgetful(GPT2LMHeadModel):
    """Goes on from its cache as if the last token of it were missing."""

    def forward(self, input_ids: Any, past_key_values: Any = None, attention_mask: Any = None, **options: Any) -> Any:
        if past_key_values is not None and past_key_values.get_seq_length():
            attention_mask = attention_mask.clone()
            attention_mask[:, -2] = 0
        return super().forward(
            input_ids=input_ids, past_key_values=past_key_values, attention_mask=attention_mask, **options
        )


@pytest.mark.parametrize("kind", [BlindToPadding, Forgetful])
def test_logits_of_a_batch_are_those_of_its_texts(kind: Any, tiny_gpt2: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_gpt2)
    good = GPT2LMHeadModel.from_pretrained(tiny_gpt2)
    # Weights that are large enough for words to matter to each other.
    for parameter in good.parameters():
        parameter.data.mul_(5)
    probing.check_language_model(good.train(), tokenizer, "model x")
    assert good.training
    bad = kind(good.config)
    bad.load_state_dict(good.state_dict())
    with pytest.raises(UserError, match=r"^model x: \w+ cannot generate texts in batches: beside other texts"):
        probing.check_language_model(bad, tokenizer, "model x")


def test_tied_heads_that_differ_are_told_at_once(tmp_path: Path, tiny_tokenizer: Path) -> None:
    source = random_model("llama", tmp_path / "source", tiny_tokenizer, tie_word_embeddings=False)
    edit_config(tie_word_embeddings=True)(source)
    line = refused(source, tmp_path / "model")
    assert "lm_head.weight and model.embed_tokens.weight are tied in config.json but differ" in line
    assert str(source) in line and ".partial" not in line


@pytest.mark.parametrize("value", ["64", [64], 0, -1, 2.5])
def test_a_context_is_a_number_of_tokens(value: Any, tmp_path: Path, tiny_tokenizer: Path) -> None:
    source = random_model("llama", tmp_path / "source", tiny_tokenizer)
    edit_config(max_position_embeddings=value)(source)
    line = refused(source, tmp_path / "model")
    assert f"config.json: max_position_embeddings is {value!r}; give a positive whole number" in line


def test_a_context_of_another_name_is_known(tmp_path: Path, tiny_tokenizer: Path) -> None:
    sizes = {"n_layers": 2, "d_model": 16, "n_heads": 2, "max_seq_len": 48, "expansion_ratio": 2}
    source = random_model("mpt", tmp_path / "source", tiny_tokenizer, **sizes)
    import_model(str(source), None, "language-model", tmp_path / "model")
    assert AutoConfig.from_pretrained(tmp_path / "model").max_position_embeddings == 48


def test_a_classifier_is_tried_too(tmp_path: Path, judge: Path) -> None:
    source = edited(judge, tmp_path / "source", edit_config(id2label={"0": "same", "1": "same", "2": "other"}))
    line = refused(source, tmp_path / "model", "classifier")
    assert "classes ['same', 'same', 'other'] must be two or more, with different names" in line


def test_a_text_has_one_perplexity_however_it_is_read(
    tmp_path: Path, tiny_gpt2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = probing.score_perplexity

    def shifted(*arguments: Any) -> Any:
        scores = score(*arguments)
        scores.loc[0, "nll_text"] += 1
        return scores

    monkeypatch.setattr(probing, "score_perplexity", shifted)
    assert "gives a text another perplexity when it goes on from its cache" in refused(tiny_gpt2, tmp_path / "model")


def test_a_text_has_one_score_beside_any_other(tmp_path: Path, judge: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score = probing.score_classifier

    def shifted(folder: Path, texts: Any, batch_size: int) -> Any:
        return score(folder, texts, batch_size) + 0.1 * (batch_size == 2)

    monkeypatch.setattr(probing, "score_classifier", shifted)
    assert "gives a text other scores beside a longer text" in refused(judge, tmp_path / "model", "classifier")


def test_a_slow_tokenizer_is_told(tmp_path: Path, tiny_tokenizer: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = random_model("llama", tmp_path / "source", tiny_tokenizer)
    remove("tokenizer*")(source)
    pieces = ["<unk>", *(letter + end for letter in "abcdefgh" for end in ("", "@@"))]
    (source / "vocab.json").write_text(json.dumps({piece: index for index, piece in enumerate(pieces)}))
    (source / "merges.txt").write_text("#version: 0.2\n")
    (source / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CTRLTokenizer"}))
    import_model(str(source), None, "language-model", tmp_path / "model")
    assert "no scorer of perplexity can use it" in capfd.readouterr().err
