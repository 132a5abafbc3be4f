"""Results of trainings whose end Snakemake did not see."""

from pathlib import Path

import pytest

from lm_interpolation.jobs import finished
from lm_interpolation.jobs.finished import forget, keep, publish


@pytest.fixture
def outputs(tmp_path: Path) -> dict[str, Path]:
    """The outputs of a training, and beside them its scratch folder with a checkpoint."""
    paths = {"output": tmp_path / "models" / "m", "metrics": tmp_path / "training" / "metrics.json"}
    paths["output"].mkdir(parents=True)
    (paths["output"] / "model.safetensors").write_bytes(b"weights")
    paths["metrics"].parent.mkdir()
    paths["metrics"].write_text("{}")
    (tmp_path / "scratch" / "m-1" / "checkpoint-5").mkdir(parents=True)
    (tmp_path / "scratch" / "m-1" / "job.json").write_text("{}")
    return paths


def delete(outputs: dict[str, Path]) -> None:
    """As Snakemake does with the outputs of a job that it did not see the end of."""
    (outputs["output"] / "model.safetensors").unlink()
    outputs["output"].rmdir()
    outputs["metrics"].unlink()


@pytest.mark.parametrize("links", [True, False])
def test_results_outlive_their_outputs(
    tmp_path: Path, outputs: dict[str, Path], links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:

        def refuse(*_: object) -> None:
            raise OSError("no links here")

        monkeypatch.setattr(finished.os, "link", refuse)
    scratch = tmp_path / "scratch" / "m-1"
    keep(scratch, outputs)
    assert [path.name for path in scratch.iterdir()] == [finished.FINISHED]
    kept = scratch / finished.FINISHED / "output" / "model.safetensors"
    assert kept.samefile(outputs["output"] / "model.safetensors") == links
    delete(outputs)
    assert publish(scratch, outputs)
    assert (outputs["output"] / "model.safetensors").read_bytes() == b"weights"
    assert outputs["metrics"].read_text() == "{}"
    # Once more: the next run may be killed, too.
    delete(outputs)
    assert publish(scratch, outputs)


def test_nothing_is_published_where_nothing_was_kept(tmp_path: Path, outputs: dict[str, Path]) -> None:
    assert not publish(tmp_path / "scratch" / "m-1", outputs)
    assert (tmp_path / "scratch" / "m-1" / "checkpoint-5").exists()


def test_damaged_results_are_made_again(
    tmp_path: Path, outputs: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    scratch = tmp_path / "scratch" / "m-1"
    keep(scratch, outputs)
    delete(outputs)
    (scratch / finished.FINISHED / "output" / "model.safetensors").write_bytes(b"Weights")
    assert not publish(scratch, outputs)
    assert "model.safetensors: damaged" in capsys.readouterr().err
    assert not outputs["output"].exists()
    assert not (scratch / finished.FINISHED).exists()


def test_forgetting_leaves_interrupted_trainings_alone(tmp_path: Path, outputs: dict[str, Path]) -> None:
    scratch = tmp_path / "scratch"
    keep(scratch / "m-1", outputs)
    (scratch / "n-1" / "checkpoint-5").mkdir(parents=True)
    forget(scratch)
    assert [path.name for path in scratch.iterdir()] == ["n-1"]
    assert (scratch / "n-1" / "checkpoint-5").exists()
    assert (outputs["output"] / "model.safetensors").read_bytes() == b"weights"
    forget(tmp_path / "absent")
