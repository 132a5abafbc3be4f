import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from lm_interpolation.jobs import checksums
from lm_interpolation.jobs.checksums import write_checksums
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.checkpoints import Checkpoint
from lm_interpolation.models.compatibility import check_compatible
from lm_interpolation.points import merging, reading, writing
from lm_interpolation.points.algebra import Point
from lm_interpolation.points.merging import merge

VOCABULARY = 300
GPT2_TOKENIZER = Path(__file__).parents[3] / "shared" / "data" / "gpt2_tokenizer"


def train_tokenizer(text: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|end|>"],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")


TOKENIZER = train_tokenizer("the film was good and the plot was bad but the end of the film was fine " * 3)
COMMON = {"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 0}
ROTARY = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
CONFIGS = {
    "gpt2": {"n_layer": 2, "n_embd": 16, "n_head": 2, "n_positions": 64},
    "llama": ROTARY | {"num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": False},
    "gpt_neox": ROTARY | {"max_position_embeddings": 64, "tie_word_embeddings": False},
}
OPT = {"num_hidden_layers": 2, "hidden_size": 16, "word_embed_proj_dim": 16, "num_attention_heads": 2, "ffn_dim": 24}


def make_model(directory: Path, seed: int, model_type: str = "gpt2", **changes) -> Path:
    torch.manual_seed(seed)
    config = AutoConfig.for_model(model_type, **(COMMON | (CONFIGS | {"opt": OPT})[model_type] | changes))
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():  # biases and norms too, which are born constant
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(directory)
    TOKENIZER.save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def trio(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {name: make_model(folder / name, seed) for seed, name in enumerate(("base", "negative", "positive"))}


def copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def edit_json(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def weights(directory: Path) -> dict[str, np.ndarray]:
    return load_numpy(directory / "model.safetensors")


@pytest.mark.parametrize("model_type", CONFIGS)
@pytest.mark.parametrize(("chunk", "ahead", "block"), [(7, 80, 1 << 12), (1 << 15, 1 << 22, 1 << 24)])
def test_merge_equals_state_dict_arithmetic_and_loads(tmp_path, monkeypatch, model_type, chunk, ahead, block):
    for module in (merging, reading):
        monkeypatch.setattr(module, "CHUNK", chunk)
    monkeypatch.setattr(merging, "_AHEAD", ahead)
    monkeypatch.setattr(writing, "_BLOCK", block)
    models = {name: make_model(tmp_path / name, seed, model_type) for seed, name in enumerate("abc")}
    coefficients = {"a": 1.5, "b": -0.75, "c": 0.25}
    merge(Point.of(coefficients), models, tmp_path / "merged")

    loaded = [AutoModelForCausalLM.from_pretrained(models[name]) for name in "abc"]
    expected = loaded[0]
    states = [model.state_dict() for model in loaded]
    expected.load_state_dict(
        {
            key: sum(c * state[key].double() for c, state in zip(coefficients.values(), states, strict=True)).float()
            for key in states[0]
        }
    )
    merged, info = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert merged.dtype == torch.float32
    for key, tensor in expected.state_dict().items():
        torch.testing.assert_close(merged.state_dict()[key], tensor, rtol=1e-7, atol=0)
    inputs = torch.tensor([[5, 7, 11, 200]])
    with torch.no_grad():
        torch.testing.assert_close(merged.eval()(inputs).logits, expected.eval()(inputs).logits)
    tied = merged.get_output_embeddings().weight is merged.get_input_embeddings().weight
    assert tied == (model_type == "gpt2")
    assert AutoTokenizer.from_pretrained(tmp_path / "merged")("the film").input_ids == TOKENIZER("the film").input_ids


def test_point_of_one_model_has_its_bytes(tmp_path, trio):
    changed = copy(trio["positive"], tmp_path / "parent")
    tensors = load_file(changed / "model.safetensors")
    tensors["transformer.ln_f.bias"][:4] = torch.tensor([-0.0, 1e-42, 3.4e38, 0.0])
    save_file(tensors, changed / "model.safetensors", metadata={"format": "pt"})
    merge(Point.of({"positive": 1}), {"positive": changed}, tmp_path / "merged")
    assert (tmp_path / "merged/model.safetensors").read_bytes() == (changed / "model.safetensors").read_bytes()


def test_equations_meet(tmp_path, trio):
    def theta(**coefficients) -> dict[str, np.ndarray]:
        merge(Point.of(coefficients), trio, tmp_path / "merged")
        return weights(tmp_path / "merged")

    # By the library: Eq. 1 at 1/2, Eq. 3 at 1. By hand: the same weights, and Eq. 3 as base + (theta1(1) - theta1(0)).
    half, shifted = theta(positive=0.5, negative=0.5), theta(base=1, positive=1, negative=-1)
    base, negative, positive = (weights(trio[name]) for name in ("base", "negative", "positive"))
    for name in base:
        middle = (positive[name].astype(float) + negative[name]) / 2
        np.testing.assert_array_equal(half[name], middle.astype(np.float32))
        exact = base[name].astype(float) + (positive[name].astype(float) - negative[name])
        np.testing.assert_allclose(shifted[name], exact, rtol=6e-8, atol=1e-12)


def test_coefficients_are_not_normalised_and_far_points_are_exact(tmp_path, trio):
    merge(Point.of({"positive": 5, "negative": -4}), trio, tmp_path / "merged")
    merged, negative, positive = (weights(path) for path in (tmp_path / "merged", trio["negative"], trio["positive"]))
    for name, tensor in merged.items():
        exact = 5 * positive[name].astype(float) - 4 * negative[name].astype(float)
        np.testing.assert_array_equal(tensor, exact.astype(np.float32))


def hub_style(source: Path, target: Path) -> Path:
    """As GPT-2 lies on the hub: no prefix, mask buffers, the output embedding too, an old config."""
    copy(source, target)
    tensors = {
        key.removeprefix("transformer."): tensor for key, tensor in load_file(source / "model.safetensors").items()
    }
    for layer in range(2):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 64, 64).tril()
        tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    tensors["lm_head.weight"] = tensors["wte.weight"].clone()
    save_file(tensors, target / "model.safetensors")
    config = json.loads((source / "config.json").read_text())
    for key in ("tie_word_embeddings", "dtype"):
        del config[key]
    config |= {"torch_dtype": "float32", "n_ctx": 64, "transformers_version": "4.20.1"}
    (target / "config.json").write_text(json.dumps(config))
    return target


def test_hub_file_equals_saved_file(tmp_path, trio):
    hub = hub_style(trio["base"], tmp_path / "hub")
    assert {name: tensor.shape for name, tensor in Checkpoint.open(hub).tensors.items()} == {
        name: tensor.shape for name, tensor in Checkpoint.open(trio["base"]).tensors.items()
    }
    merge(Point.of({"hub": 1}), {"hub": hub}, tmp_path / "alone")
    merge(Point.of({"hub": 0.5, "positive": 0.5}), trio | {"hub": hub}, tmp_path / "mixed")
    merge(Point.of({"base": 0.5, "positive": 0.5}), trio, tmp_path / "saved")
    saved = (trio["base"] / "model.safetensors").read_bytes()
    assert (tmp_path / "alone/model.safetensors").read_bytes() == saved
    assert (tmp_path / "mixed/model.safetensors").read_bytes() == (tmp_path / "saved/model.safetensors").read_bytes()
    _, info = AutoModelForCausalLM.from_pretrained(tmp_path / "alone", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]


def test_tied_tensors_that_differ_are_refused(tmp_path, trio):
    hub = hub_style(trio["base"], tmp_path / "hub")
    tensors = load_file(hub / "model.safetensors")
    tensors["lm_head.weight"][3, 3] += 1
    save_file(tensors, hub / "model.safetensors")
    with pytest.raises(UserError, match=r"hub: lm_head.weight and wte.weight are tied in config.json but differ"):
        merge(Point.of({"hub": 1}), {"hub": hub}, tmp_path / "merged")


def test_shards_and_half_precision(tmp_path, trio):
    sharded = tmp_path / "sharded"
    model = AutoModelForCausalLM.from_pretrained(trio["negative"])
    model.save_pretrained(sharded, max_shard_size="20KB")
    TOKENIZER.save_pretrained(sharded)
    assert len(list(sharded.glob("model-*.safetensors"))) > 1
    merge(Point.of({"sharded": 1}), {"sharded": sharded}, tmp_path / "merged")
    assert weights(tmp_path / "merged").keys() == weights(trio["negative"]).keys()
    for name, tensor in weights(trio["negative"]).items():
        np.testing.assert_array_equal(weights(tmp_path / "merged")[name], tensor)

    for dtype in (torch.bfloat16, torch.float16):
        model.to(dtype).save_pretrained(tmp_path / "half")
        TOKENIZER.save_pretrained(tmp_path / "half")
        merge(Point.of({"half": 1}), {"half": tmp_path / "half"}, tmp_path / "merged")
        assert json.loads((tmp_path / "merged/config.json").read_text())["dtype"] == "float32"
        for name, tensor in load_file(tmp_path / "half/model.safetensors").items():
            assert torch.equal(load_file(tmp_path / "merged/model.safetensors")[name], tensor.float())

    next(sharded.glob("model-00002-*")).unlink()
    with pytest.raises(UserError, match=r"model-00002.*missing; download all shards"):
        Checkpoint.open(sharded)


def test_integer_tensors_are_copied_if_equal(tmp_path, trio):
    models = {name: copy(trio[name], tmp_path / name) for name in ("negative", "positive")}
    for path in models.values():
        tensors = load_file(path / "model.safetensors") | {"steps": torch.tensor([7, 1 << 40])}
        save_file(tensors, path / "model.safetensors")
    merge(Point.of({"negative": -1, "positive": 2}), models, tmp_path / "merged")
    assert weights(tmp_path / "merged")["steps"].tolist() == [7, 1 << 40]
    save_file(tensors | {"steps": torch.tensor([7, 8])}, models["positive"] / "model.safetensors")
    with pytest.raises(UserError, match="models negative and positive: I64 tensor steps differs"):
        merge(Point.of({"negative": -1, "positive": 2}), models, tmp_path / "merged")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_embd": 32}, "n_embd is 16 and 32"),
        ({"n_head": 4}, "n_head is 2 and 4"),
        ({"n_layer": 3}, "n_layer is 2 and 3"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is True and False"),
        ({"model_type": "gpt_neox"}, "model_type is gpt2 and gpt_neox"),
    ],
)
def test_other_architecture_is_refused(tmp_path, trio, changes, message):
    other = make_model(tmp_path / "other", 9, **changes)
    with pytest.raises(UserError, match=rf"models base \(.*\) and other \(.*\) cannot be combined: .*{message}; use"):
        check_compatible({"base": trio["base"], "other": other})


# --- differences that do not matter


def pair(tmp_path, model_type="llama", edits=None):
    """Two models of one architecture, the second with other values in its config.json."""
    models = {name: make_model(tmp_path / name, seed, model_type) for seed, name in enumerate("ab")}
    edit_json(models["b"] / "config.json", **(edits or {}))
    return models


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"eos_token_id": 1}, "eos_token_id is 0 and 1"),
        ({"eos_token_id": [0, 2]}, "eos_token_id is 0 and [0, 2]"),
        ({"bos_token_id": 3, "pad_token_id": 2}, "bos_token_id is 0 and 3, pad_token_id is None and 2"),
        (
            {"max_position_embeddings": 32},
            "max_position_embeddings is 64 and 32 (merged models have the smaller one)",
        ),
    ],
)
def test_what_no_weight_depends_on_may_differ_and_is_told(tmp_path, capsys, edits, words):
    models = pair(tmp_path, edits=edits)
    lines = []
    check_compatible(models, lines.append)
    assert lines == [f"models a and b can be combined, though config.json differs: {words}"]
    for order in ("ab", "ba"):
        merge(Point.of({"a": 0.5, "b": 0.5}), {name: models[name] for name in order}, tmp_path / "merged")
        config = json.loads((tmp_path / "merged/config.json").read_text())
        assert config["max_position_embeddings"] == edits.get("max_position_embeddings", 64)
    # In the log of the job, too.
    assert "can be combined, though config.json differs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 5.0}}, "rope_theta is 10000.0 and 5.0"),
        # As older versions wrote it.
        ({"rope_parameters": None, "rope_theta": 5.0}, "rope_theta is 10000.0 and 5.0"),
        (
            {"rope_parameters": None, "rope_theta": 10000.0, "rope_scaling": {"type": "linear", "factor": 2.0}},
            "rope_type is default and linear",
        ),
        ({"rms_norm_eps": 1e-3}, "rms_norm_eps is 1e-06 and 0.001"),
        ({"hidden_act": "gelu"}, "hidden_act is silu and gelu"),
    ],
)
def test_what_models_compute_must_be_the_same(tmp_path, edits, words):
    with pytest.raises(UserError, match=rf"config\.json: {words}; use models fine-tuned from the same one$"):
        check_compatible(pair(tmp_path, edits=edits))


def test_the_form_of_rotary_settings_does_not_matter(tmp_path):
    check_compatible(pair(tmp_path, edits={"rope_parameters": None, "rope_theta": 10000.0, "rope_scaling": None}))


def test_a_context_that_scales_positions_must_be_the_same(tmp_path):
    models = pair(tmp_path, edits={"max_position_embeddings": 32})
    for path in models.values():
        scaled = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
        edit_json(path / "config.json", rope_parameters=scaled)
    with pytest.raises(UserError, match=r"max_position_embeddings is 64 and 32; use"):
        check_compatible(models)


@pytest.mark.parametrize(("model_type", "prefix"), [("opt", "model."), ("gpt_neox", "gpt_neox.")])
def test_a_prefix_of_all_names_does_not_matter(tmp_path, model_type, prefix):
    models = pair(tmp_path, model_type)
    tensors = load_file(models["b"] / "model.safetensors")
    assert any(name.startswith(prefix) for name in tensors)
    hub = {name.removeprefix(prefix): tensor.clone() for name, tensor in tensors.items()}
    save_file(hub, tmp_path / "b/model.safetensors", {"format": "pt"})
    for first, other in ("ab", "ba"):
        check_compatible({first: models[first], other: models[other]})
    merge(Point.of({"a": 0.5, "b": 0.5}), models, tmp_path / "merged")
    ours, merged = weights(models["a"]), weights(tmp_path / "merged")
    assert merged.keys() == ours.keys()
    for name, tensor in merged.items():
        mean = (ours[name].astype(float) + tensors[name].numpy().astype(float)) / 2
        np.testing.assert_array_equal(tensor, mean.astype(np.float32))
    hub["one.more"] = torch.zeros(1)
    save_file(hub, tmp_path / "b/model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"only the (first|second) has the tensor"):
        check_compatible(models)


def test_an_added_token_is_named_with_the_way_to_cut_it_off(tmp_path):
    rows = len(TOKENIZER)
    base = make_model(tmp_path / "base", 8, vocab_size=rows)
    other = make_model(tmp_path / "other", 9, vocab_size=rows + 1)
    words = rf"vocab_size is {rows} and {rows + 1}; \S+/other has row {rows} more, with {{}} of its tokenizer; if your"
    with pytest.raises(UserError, match=words.format("no token")):
        check_compatible({"base": base, "other": other})
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    tokenizer.save_pretrained(other)
    with pytest.raises(UserError, match=words.format("'<pad>'")) as caught:
        check_compatible({"base": base, "other": other})
    # What it says to do, done.
    lines = re.search(r"(model = .*model\.save_pretrained\('cut'\)),", str(caught.value))[1]
    with contextlib.chdir(tmp_path):
        exec(lines, {"AutoModelForCausalLM": AutoModelForCausalLM})
    TOKENIZER.save_pretrained(tmp_path / "cut")
    check_compatible({"base": base, "other": tmp_path / "cut"})
    # No part of another vocabulary.
    stranger = make_model(tmp_path / "stranger", 9, vocab_size=rows + 1)
    train_tokenizer("quite another text, from which other pairs come " * 3).save_pretrained(stranger)
    with pytest.raises(
        UserError, match=rf"vocab_size is {rows} and {rows + 1}; use models fine-tuned from the same one"
    ):
        check_compatible({"base": base, "other": stranger})


def test_other_tensors_are_refused(tmp_path, trio):
    other = copy(trio["base"], tmp_path / "other")
    tensors = load_file(other / "model.safetensors")
    save_file(tensors | {"transformer.wpe.weight": torch.zeros(65, 16)}, other / "model.safetensors")
    with pytest.raises(UserError, match=r"tensor transformer.wpe.weight has shape \[64, 16\] and \[65, 16\]"):
        check_compatible({"base": trio["base"], "other": other})
    save_file(tensors | {"score.weight": torch.zeros(2, 16)}, other / "model.safetensors")
    with pytest.raises(UserError, match=r"only the second has the tensor score.weight"):
        check_compatible({"base": trio["base"], "other": other})


def test_other_tokenizer_is_refused(tmp_path, trio):
    other = copy(trio["base"], tmp_path / "other")
    train_tokenizer("quite another text, from which other pairs come " * 3).save_pretrained(other)
    with pytest.raises(UserError, match=r"base .* other .*: tokenizers differ in their vocabulary; save the tokenizer"):
        merge(Point.of({"base": 0.5, "other": 0.5}), {"base": trio["base"], "other": other}, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()

    shutil.copyfile(trio["base"] / "tokenizer.json", other / "tokenizer.json")
    edit_json(other / "tokenizer.json", normalizer={"type": "Lowercase"})
    with pytest.raises(UserError, match="tokenizers differ in their normalizer"):
        check_compatible({"base": trio["base"], "other": other})


def test_same_tokenizer_saved_otherwise_is_accepted(tmp_path, trio):
    other = copy(trio["base"], tmp_path / "other")
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer(["the film", "the"], padding=True, truncation=True, max_length=4)
    tokenizer.save_pretrained(other)
    content = json.loads((other / "tokenizer.json").read_text())
    assert content["truncation"] and content["padding"]
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]  # as before tokenizers 0.20
    (other / "tokenizer.json").write_text(json.dumps(dict(reversed(content.items())), indent=4))
    check_compatible({"base": trio["base"], "other": other})


@pytest.mark.skipif(not GPT2_TOKENIZER.exists(), reason="../shared/data/gpt2_tokenizer is absent")
def test_gpt2_tokenizer_as_two_files_equals_its_json(tmp_path, trio):
    models = {name: copy(trio["base"], tmp_path / name) for name in ("files", "json")}
    for path in models.values():
        (path / "tokenizer.json").unlink()
    for file in ("vocab.json", "merges.txt"):
        shutil.copyfile(GPT2_TOKENIZER / file, models["files"] / file)
    AutoTokenizer.from_pretrained(GPT2_TOKENIZER).save_pretrained(models["json"])
    assert (models["json"] / "tokenizer.json").exists()
    check_compatible(models)
    with open(models["files"] / "merges.txt", "a") as handle:
        handle.write("x y\n")
    with pytest.raises(UserError, match="tokenizers differ in their merges"):
        check_compatible(models)


def test_nan_is_an_error_that_names_model_and_tensor(tmp_path, trio):
    broken = copy(trio["negative"], tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    tensors["transformer.h.1.mlp.c_fc.weight"][2, 3] = float("nan")
    save_file(tensors, broken / "model.safetensors")
    point = Point.of({"broken": 0.5, "positive": 0.5})
    with pytest.raises(UserError, match=r"model broken .*: tensor transformer.h.1.mlp.c_fc.weight holds NaN or inf"):
        merge(point, trio | {"broken": broken}, tmp_path / "merged")
    assert not list(tmp_path.glob("*merged*"))

    tensors["transformer.h.1.mlp.c_fc.weight"][2, 3] = 3e38
    save_file(tensors, broken / "model.safetensors")
    with pytest.raises(UserError, match=r"point broken=4\+positive=-3: tensor transformer.h.1.mlp.c_fc.weight exceeds"):
        merge(Point.of({"broken": 4, "positive": -3}), trio | {"broken": broken}, tmp_path / "merged")


@pytest.mark.parametrize("failing", ["first", "middle", "last"])
def test_a_disk_that_fails_is_an_error(tmp_path, monkeypatch, trio, failing):
    calls = []

    def write(descriptor, data, write_=os.write):
        calls.append(len(data))
        if len(calls) == wanted:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return write_(descriptor, data)

    monkeypatch.setattr(writing, "_BLOCK", 1 << 12)
    monkeypatch.setattr(os, "write", write)
    point, wanted = Point.of({"base": 0.5, "positive": 0.5}), 0
    merge(point, trio, tmp_path / "whole")
    shutil.rmtree(tmp_path / "whole")
    count = len(calls)
    assert count > 3
    wanted = {"first": 1, "middle": count // 2, "last": count}[failing]
    calls.clear()
    with pytest.raises(OSError, match="Input/output error"):
        merge(point, trio, tmp_path / "merged")
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_read_on_is_an_error(tmp_path, monkeypatch, trio):
    @contextlib.contextmanager
    def reader(directory, checked_reader_=writing.checked_reader):
        with checked_reader_(directory) as read:
            calls = iter(range(5))

            def some(*arguments):
                if next(calls, None) is None:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                return read(*arguments)

            yield some

    monkeypatch.setattr(writing, "checked_reader", reader)
    with pytest.raises(OSError, match="Input/output error"):
        merge(Point.of({"base": 0.5, "positive": 0.5}), trio, tmp_path / "merged")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("most", [1 << 12, 1000])
def test_a_disk_that_takes_less_than_it_is_given_gets_the_rest(tmp_path, monkeypatch, trio, most):
    point = Point.of({"base": 0.5, "positive": 0.5})
    merge(point, trio, tmp_path / "at once")
    # After 1000 bytes nothing is aligned as it has to be past the page cache.
    monkeypatch.setattr(os, "write", lambda descriptor, data, write_=os.write: write_(descriptor, data[:most]))
    merge(point, trio, tmp_path / "in parts")
    for file in (tmp_path / "at once").iterdir():
        assert file.read_bytes() == (tmp_path / "in parts" / file.name).read_bytes()


def test_a_file_system_that_refuses_the_first_direct_write_gets_the_same_bytes(tmp_path, monkeypatch, trio):
    point = Point.of({"base": 0.5, "positive": 0.5})
    merge(point, trio, tmp_path / "direct")
    refused = []

    def write(descriptor, data, write_=os.write):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT:
            refused.append(len(data))
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return write_(descriptor, data)

    descriptor = writing._open_direct(tmp_path / "probe")
    direct = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_DIRECT
    os.close(descriptor)
    if not direct:
        pytest.skip(f"{tmp_path}: its file system cannot be written past the page cache")
    monkeypatch.setattr(os, "write", write)
    merge(point, trio, tmp_path / "buffered")
    assert len(refused) == 1
    for file in (tmp_path / "direct").iterdir():
        assert file.read_bytes() == (tmp_path / "buffered" / file.name).read_bytes()


@pytest.mark.parametrize("block", [1 << 12, 1 << 24])
def test_a_file_system_without_direct_writing_gets_the_same_bytes(tmp_path, monkeypatch, trio, block):
    point = Point.of({"base": 0.5, "positive": 0.5})
    merge(point, trio, tmp_path / "direct")
    opened = []

    def refuse(path, flags, mode=0o777, open_=os.open, **kwargs):
        if flags & os.O_DIRECT:
            opened.append(path)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return open_(path, flags, mode, **kwargs)

    monkeypatch.setattr(writing, "_BLOCK", block)
    monkeypatch.setattr(os, "open", refuse)
    merge(point, trio, tmp_path / "buffered")
    assert opened
    for file in (tmp_path / "direct").iterdir():
        assert file.read_bytes() == (tmp_path / "buffered" / file.name).read_bytes()


def test_models_of_ours_are_read_once(tmp_path, monkeypatch, trio):
    models = {name: copy(trio[name], tmp_path / name) for name in ("negative", "positive")}
    for path in models.values():
        write_checksums(path)
    read = []
    fill = checksums._fill
    monkeypatch.setattr(
        checksums, "_fill", lambda handle, start, buffer: (read.append(len(buffer)), fill(handle, start, buffer))
    )
    merge(Point.of({"negative": 0.5, "positive": 0.5}), models, tmp_path / "merged")
    # All files of both; of the output those beside the weights, which were digested on their way.
    files = [file for path in models.values() for file in path.iterdir() if file.name != "checksums.json"]
    files += [
        file for file in (tmp_path / "merged").iterdir() if file.name not in ("checksums.json", "model.safetensors")
    ]
    assert sum(read) == sum(file.stat().st_size for file in files)
    monkeypatch.undo()
    checksums.check_files(tmp_path / "merged")


def test_damaged_directories_are_named(tmp_path, trio):
    with pytest.raises(UserError, match="absent: no such directory"):
        Checkpoint.open(tmp_path / "absent")
    broken = copy(trio["base"], tmp_path / "broken")
    file = broken / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    with pytest.raises(UserError, match=r"model.safetensors: truncated: tensor transformer.wte.weight ends at byte"):
        Checkpoint.open(broken)
    for garbage in (b"", content[:100], b"version https://git-lfs.github.com/spec/v1\n"):
        file.write_bytes(garbage)
        with pytest.raises(UserError, match="truncated or not a safetensors file"):
            Checkpoint.open(broken)
    file.write_bytes((4).to_bytes(8, "little") + b"{{{{" + bytes(100))
    with pytest.raises(UserError, match="damaged header"):
        Checkpoint.open(broken)
    file.rename(broken / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pytorch_model.bin only; convert them: .*save_pretrained"):
        Checkpoint.open(broken)
    (broken / "pytorch_model.bin").unlink()
    with pytest.raises(UserError, match="broken: no weights"):
        Checkpoint.open(broken)
    (broken / "config.json").unlink()
    with pytest.raises(UserError, match=r"config.json: missing"):
        Checkpoint.open(broken)
    bare = copy(trio["base"], tmp_path / "bare")
    (bare / "tokenizer.json").unlink()
    with pytest.raises(UserError, match="bare: no tokenizer"):
        Checkpoint.open(bare)


def test_needs_no_torch_and_little_memory(tmp_path, trio):
    # One tensor of 64 MiB: peak memory of the merge of three must not grow with it.
    models = {name: copy(path, tmp_path / name) for name, path in trio.items()}
    for path in models.values():
        big = {"transformer.extra.weight": torch.ones(1 << 24)}
        save_file(load_file(path / "model.safetensors") | big, path / "model.safetensors")
    program = """
import sys, tracemalloc
from lm_interpolation.points.merging import merge
from lm_interpolation.points.algebra import Point
tracemalloc.start()
point = Point.of({"base": 1, "positive": 1, "negative": -1})
merge(point, dict(zip(sys.argv[1::2], sys.argv[2::2])), "out")
print(tracemalloc.get_traced_memory()[1], "torch" in sys.modules, "transformers" in sys.modules)
"""
    arguments = [str(word) for pair in models.items() for word in pair]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    peak, *imported = run.stdout.decode().split()
    assert imported == ["False", "False"]
    assert int(peak) < 32 << 20
    assert (weights(tmp_path / "out")["transformer.extra.weight"] == 1).all()
