"""The plan of what a study needs from the Hugging Face hub; ``models.fetching`` downloads it."""

from collections.abc import Iterator, Mapping
from typing import Any

from lm_interpolation.study.kinds.corpora.base import Corpora

_SAME = ("hub", "revision", "gguf_file", "tokenizer_directory")


def fetch_plan(config: Mapping[str, Any], corpora: Corpora) -> dict[str, list[dict[str, Any]]]:
    """The models, files and datasets that the resolved ``config`` needs from the hub (see ``fetch_all``)."""
    models: dict[tuple[str | None, ...], dict[str, Any]] = {}
    for name, model in config["models"].items():
        start = model["start"]
        if "hub" in start.get("adapter", {}):
            adapter = start["adapter"]
            found = {"id": adapter["hub"], "revision": adapter["revision"], "key": f"models.{name}.start.adapter"}
            models.setdefault(("adapter", adapter["hub"], adapter["revision"]), {**found, "adapter": True})
        elif "hub" in start:
            found = {"id": start["hub"], "revision": start["revision"], "key": f"models.{name}.start"}
            found |= {key: start[key] for key in _SAME[2:] if key in start}
            models.setdefault(tuple(start.get(key) for key in _SAME), found)
    plan: dict[str, list[dict[str, Any]]] = {"models": list(models.values()), "files": [], "datasets": []}
    for name, corpus in corpora.items():
        downloads, key = corpus.downloads(), f"corpora.{name}"
        for entry in downloads.files:
            streamed = {"readings": sorted(set(_readings(name, config)))} if "text" in entry else {}
            plan["files"].append({**entry, "key": f"{key}.{entry['key']}", **streamed})
        plan["datasets"] += [{**entry, "key": f"{key}.id"} for entry in downloads.datasets]
    return plan


def _readings(name: str, config: Mapping[str, Any]) -> Iterator[tuple[int, int, int]]:
    """Seed, total tokens and processes of each training on a corpus, for models and searches."""
    for key, model in config["models"].items():
        if model.get("data", {}).get("corpus") != name:
            continue
        training = model["training"]
        grids = [search["grid"] for search in config["searches"].values() if search["model"] == key]
        tokens = [training["steps"] * training["batch_size"]]
        tokens += [max(grid["steps"]) * max(grid["batch_size"]) for grid in grids]
        yield training["seed"], max(tokens) * training["block_length"], training["processes"]
