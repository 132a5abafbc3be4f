"""data/gated.py: what huggingface_hub raises for a gated repository of a server on the loopback interface."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lm_interpolation.data.gated import naming_gates
from lm_interpolation.jobs.runtime import UserError
from tests.loopback import Site, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ACCEPT = "once, with an account there; then log in here (hf auth login, or set HF_TOKEN) and run this again"
MODEL = f"model some/gated: its licence must be accepted at https://huggingface.co/some/gated, {ACCEPT}"
DATASET = f"dataset some/gated: its licence must be accepted at https://huggingface.co/datasets/some/gated, {ACCEPT}"

# Each prints the line of its error, as jobs and `make data` do.
_PROGRAM = """
import sys
from lm_interpolation.data.sources.hub import load_hub
from lm_interpolation.data.sources.stream import load_stream
from lm_interpolation.jobs.runtime import UserError
from lm_interpolation.models.fetching import fetch_all
from lm_interpolation.models.hub_models import model_folder

gated = {"id": "some/gated", "revision": "main"}
corpus = {**gated, "files": {"train": "train.jsonl", "dev": "train.jsonl"}, "text": "text", "seed": 0}
for work in (
    lambda: fetch_all([{**gated, "key": "models.judge.start"}], [], [], None),
    lambda: fetch_all([], [{**gated, "patterns": ["*.jsonl"], "key": "corpora.mine.files.train"}], [], None),
    lambda: fetch_all([], [], [{**gated, "config": None, "splits": ["train"], "key": "corpora.mine.id"}], None),
    lambda: model_folder("some/gated", sys.argv[1]),
    lambda: load_hub(corpus, "mine", None),
    lambda: load_stream({**corpus, "limit": {"dev": 1}}, "mine", None),
):
    try:
        work()
    except UserError as error:
        print(error)
"""


@pytest.fixture(params=[401, 403], ids=["without a login", "with a login that has not accepted"])
def hub(request: pytest.FixtureRequest) -> Iterator[Site]:
    """A hub with a gated model and a gated data set: what they are is public, their files are not."""
    site = Site()
    names = ("config.json", "model.safetensors", "train.jsonl")
    for kind, prefix in (("models", ""), ("datasets", "/datasets")):
        place = f"/api/{kind}/some/gated"
        info = {"id": "some/gated", "sha": COMMIT, "tags": ["license:gemma"], "gated": "manual"}
        info["siblings"] = [{"rfilename": name} for name in names]
        for revision in ("", "/revision/main", f"/revision/{COMMIT}"):
            site.files[place + revision] = json.dumps(info).encode()
        files = [{"type": "file", "path": name, "size": 2, "oid": "0" * 40} for name in names]
        site.files[f"{place}/tree/{COMMIT}"] = json.dumps(files).encode()
        refused = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this repository is restricted."}
        for name in (*names, "README.md"):
            for revision in ("main", COMMIT):
                site.answers[f"{prefix}/some/gated/resolve/{revision}/{name}"] = (request.param, "Refused", refused)
    with serving(site):
        yield site


@pytest.mark.slow
@pytest.mark.quick
def test_everything_that_fetches_names_the_gate(hub: Site, tmp_path: Path) -> None:
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    inherited = {key: value for key, value in os.environ.items() if key not in ("HF_HUB_CACHE", "HF_TOKEN")}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, COMMIT],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    # The library `datasets` has a line of its own.
    assert "'some/gated' is a gated dataset on the Hub." in lines.pop(2)
    assert lines == [MODEL, DATASET, MODEL, DATASET, DATASET], done.stderr
    for kind, page in (("model", "some/gated"), ("dataset", "datasets/some/gated")):
        assert f"[fetch] {kind} some/gated: licence gemma, see https://huggingface.co/{page}" in done.stderr


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(UserError, match="^as before$"), naming_gates():
        raise UserError("as before") from ValueError("of something else")
