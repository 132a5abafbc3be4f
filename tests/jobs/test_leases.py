"""Leases of GPUs, on a machine that has none: the ids are made up, the processes and their locks are real."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from lm_interpolation.jobs import compute, leases
from lm_interpolation.jobs.leases import Gpu, lease_gpus, visible_gpus
from lm_interpolation.jobs.runtime import UserError

ROOT = Path(__file__).parents[2]

PROLOGUE = """
import os, sys, time
from pathlib import Path
from lm_interpolation.jobs import leases
leases._POLL = 0.01
def lease(count):
    leases.lease_gpus(count, Path("locks").absolute())
    return os.environ["CUDA_VISIBLE_DEVICES"]
"""
# Leases, says what, and keeps it until its input ends.
HOLD = "print(lease({count}), flush=True); sys.stdin.read()"
# Uses what it leased in a way that a second user of the same GPU would notice.
USE = """
gpus = lease({count}).split(",")
for gpu in gpus:
    os.close(os.open(f"used-{{gpu}}", os.O_CREAT | os.O_EXCL))
time.sleep(0.02)
for gpu in gpus:
    os.unlink(f"used-{{gpu}}")
print(",".join(gpus))
"""
H100S = """\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa0000-1)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bbbb1111-2)
GPU 2: NVIDIA H100 80GB HBM3 (UUID: GPU-bbbb2222-3)
"""
DIFFERENT = "GPU 0: NVIDIA T400 (UUID: GPU-aaaa0000-1)\nGPU 1: NVIDIA RTX 4090 (UUID: GPU-bbbb1111-2)\n"
DIVIDED = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa0000-1)
  MIG 1g.5gb      Device  0: (UUID: MIG-cccc-4)
  MIG 2g.10gb     Device  1: (UUID: MIG-dddd-5)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb1111-2)
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No nvidia-smi, no settings, no SLURM; what a test leases in this process is given back."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("CUDA_DEVICE_ORDER", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.chdir(tmp_path)
    yield
    leases._close_leases()


@pytest.fixture
def nvidia_smi(tmp_path: Path) -> Callable[..., None]:
    def install(output: str, status: int = 0) -> None:
        program = tmp_path / "bin" / "nvidia-smi"
        program.write_text(f'#!{sys.executable}\nimport sys\nassert sys.argv[1:] == ["--list-gpus"]\n')
        with program.open("a") as handle:
            handle.write(f"print({output!r}, end='')\nsys.exit({status})\n")
        program.chmod(0o755)

    return install


class Job:
    """A process that runs ``code`` after ``PROLOGUE``."""

    def __init__(self, code: str, **settings: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROLOGUE + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | settings,
        )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def log(self) -> str:
        """The next line of its log."""
        assert self.process.stderr
        return self.process.stderr.readline().strip()

    def end(self) -> tuple[str, str]:
        """Let it end: the rest of its output and of its log."""
        output, log = self.process.communicate()
        assert self.process.returncode == 0, log
        return output, log


@pytest.fixture
def hold() -> Iterator[Callable[..., Job]]:
    """Start jobs that hold ``count`` GPUs; they end with the test."""
    jobs: list[Job] = []

    def start(count: int, **settings: str) -> Job:
        jobs.append(Job(HOLD.format(count=count), **settings))
        return jobs[-1]

    yield start
    for job in jobs:
        job.process.kill()
        job.process.communicate()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process does not wait for a lease."""

    def sleep(seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=sleep))


# --- leases ---


@pytest.mark.parametrize(
    ("ids", "counts"),
    [("0,1,2", [1] * 9), ("0,1,2", [2] * 5), ("4,5,6,7", [2, 1, 3, 1, 2, 2, 1, 4]), ("GPU-a,GPU-b", [1, 2] * 3)],
)
def test_no_two_running_jobs_share_a_gpu(ids: str, counts: list[int]) -> None:
    jobs = [Job(USE.format(count=count), CUDA_VISIBLE_DEVICES=ids) for count in counts]
    leased = [job.end()[0].strip().split(",") for job in jobs]
    assert [len(set(gpus)) for gpus in leased] == counts
    assert {gpu for gpus in leased for gpu in gpus} <= set(ids.split(","))
    assert not list(Path().glob("used-*"))


def test_all_gpus_are_used_side_by_side(hold: Callable[..., Job]) -> None:
    one, two = hold(1), hold(2)
    assert sorted([*one.line().split(","), *two.line().split(",")]) == ["0", "1", "2"]


def test_log_says_what_was_leased(capsys: pytest.CaptureFixture[str]) -> None:
    lease_gpus(2, Path("locks"))
    assert capsys.readouterr().err == "GPUs 0,1 (leased; of 0,1,2)\n"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    with pytest.raises(RuntimeError, match="has leased GPUs already"):
        lease_gpus(1, Path("locks"))


def test_job_without_gpus_leases_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lease_gpus(0, Path("locks"))
    assert capsys.readouterr().err == "" and [path.name for path in tmp_path.iterdir()] == ["bin"]


def test_restriction_is_honoured(hold: Callable[..., Job]) -> None:
    holder = hold(1, CUDA_VISIBLE_DEVICES="2")
    assert holder.log() == "GPU 2 (leased; of 2)"
    assert holder.line() == "2"
    waiting = hold(1, CUDA_VISIBLE_DEVICES="2")
    assert waiting.log() == f"waiting for 1 of GPU 2: process {holder.process.pid} has GPU 2"
    # Though others are free, and remain so.
    assert hold(2).line() == "0,1"
    holder.end()
    assert waiting.line() == "2"


@pytest.mark.usefixtures("impatient")
def test_killed_job_frees_its_lease_at_once(hold: Callable[..., Job]) -> None:
    killed = hold(3)
    assert killed.line() == "0,1,2"
    killed.process.kill()
    killed.process.wait()
    lease_gpus(3, Path("locks"))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2"


@pytest.mark.usefixtures("impatient")
def test_what_a_killed_job_started_keeps_no_lease(hold: Callable[..., Job]) -> None:
    """Neither a process that it forked, as multiprocessing does, nor a program, such as torchrun."""
    code = """
import subprocess
lease(2)
child = os.fork()
if child == 0:
    sys.stdin.read()
    os._exit(0)
code = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); sys.stdin.read()"
program = subprocess.Popen([sys.executable, "-c", code], close_fds=False)
print(child, program.pid, flush=True)
time.sleep(1000)
"""
    job = Job(code)
    try:
        lines = sorted([job.line(), job.line()], key=len)
        # The program sees what the job has leased.
        assert lines[0] == "0,1"
        children = [int(pid) for pid in lines[1].split()]
        # While the job lives, it has its lease, although its child has closed its own copies of the locks.
        assert hold(1).line() == "2"
        job.process.kill()
        job.process.wait()
        assert all(Path(f"/proc/{pid}").exists() for pid in children)
        lease_gpus(2, Path("locks"))
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    finally:
        job.process.kill()
        job.process.communicate()  # ends the children: their input ends


def test_a_job_that_waits_keeps_nothing_from_others(hold: Callable[..., Job]) -> None:
    one = hold(1)
    assert one.line() == "0"
    three = hold(3)
    assert three.log() == f"waiting for 3 of GPUs 0,1,2: process {one.process.pid} has GPU 0"
    assert hold(2).line() == "1,2"


def test_waiting_is_told_every_minute(
    hold: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    holder = hold(2)
    assert holder.line() == "0,1"
    now = 1000.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now > 1150:
            holder.process.kill()
            holder.process.wait()

    monkeypatch.setattr(leases, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    lease_gpus(2, Path("locks"))
    pid = holder.process.pid
    assert capsys.readouterr().err.splitlines() == [
        *[f"waiting for 2 of GPUs 0,1,2: process {pid} has GPU 0, process {pid} has GPU 1"] * 3,
        "GPUs 0,1 (leased; of 0,1,2)",
    ]


@pytest.mark.snakemake
@pytest.mark.slow
def test_snakemake_jobs_of_two_runs(tmp_path: Path, nvidia_smi: Callable[..., None]) -> None:
    """Each run may use all three GPUs."""
    nvidia_smi(H100S)
    (tmp_path / "job.py").write_text(
        PROLOGUE + "leases.LOCKS = Path('locks').absolute()\n"
        "lease = lambda count: leases.lease_gpus(count, leases.LOCKS) or os.environ['CUDA_VISIBLE_DEVICES']\n"
        + USE.format(count="snakemake.resources.get('gpu', 0)")
        + "Path(snakemake.output[0]).write_text(','.join(gpus))\n"
    )
    for name in ("a", "b"):
        (tmp_path / f"{name}.smk").write_text(
            f"rule all:\n    input: expand('{name}{{i}}', i=range(4))\n"
            f"rule job:\n    output: '{name}{{i}}'\n    resources: gpu=lambda w: 1 + int(w.i) % 2\n"
            "    script: 'job.py'\n"
        )
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "4", "--resources", "gpu=3", "--nolock", "--quiet"]
    os.environ["PATH"] += os.pathsep + os.defpath
    runs = [
        subprocess.Popen([*snakemake, "--snakefile", f"{name}.smk"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for name in ("a", "b")
    ]
    for run in runs:
        _, log = run.communicate()
        assert run.returncode == 0, log.decode()
    leased = [Path(f"{name}{i}").read_text().split(",") for name in ("a", "b") for i in range(4)]
    assert [len(gpus) for gpus in leased] == [1, 2, 1, 2] * 2
    assert {gpu for gpus in leased for gpu in gpus} <= {"GPU-aaaa0000-1", "GPU-bbbb1111-2", "GPU-bbbb2222-3"}


# --- what is visible ---


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("0,1,2", ["0", "1", "2"]),
        ("3", ["3"]),
        (" 1, 0", ["1", "0"]),
        ("", []),
        ("-1", []),
        ("none", []),
        ("0,-1,1", ["0"]),
        ("2,,1", ["2"]),
        ("1,1", []),
        ("GPU-aaaa,GPU-bbbb", ["GPU-aaaa", "GPU-bbbb"]),
        ("MIG-cccc", ["MIG-cccc"]),
    ],
)
def test_visible_without_nvidia_smi(visible: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus() == [Gpu(name, name) for name in expected]


A, B, C = Gpu("0", "GPU-aaaa0000-1"), Gpu("1", "GPU-bbbb1111-2"), Gpu("2", "GPU-bbbb2222-3")
PARTS = [Gpu("MIG-cccc-4", "MIG-cccc-4"), Gpu("MIG-dddd-5", "MIG-dddd-5")]


@pytest.mark.parametrize(
    ("listing", "visible", "expected"),
    [
        (H100S, None, [A, B, C]),
        (H100S, "", []),
        (H100S, "2,0", [C, A]),
        (H100S, "1,3,0", [B]),  # there is no 3
        (H100S, "GPU-aaaa0000-1", [A]),
        (H100S, "GPU-bbbb2,GPU-aa", [C, A]),
        (H100S, "GPU-bbbb,GPU-aa", []),  # which of two
        (H100S, "GPU-ffff", []),
        (H100S, "0,GPU-aaaa0000-1", []),  # one GPU twice
        (DIFFERENT, None, [A, B]),
        (DIFFERENT, "GPU-bbbb", [B]),
        (DIVIDED, None, [*PARTS, B]),
        (DIVIDED, "0", PARTS),
        (DIVIDED, "GPU-aaaa", PARTS),
        (DIVIDED, "MIG-dddd-5", PARTS[1:]),
        (DIVIDED, "1", [B]),
    ],
)
def test_visible_with_nvidia_smi(
    listing: str,
    visible: str | None,
    expected: list[Gpu],
    nvidia_smi: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nvidia_smi(listing)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus() == expected


def test_index_and_uuid_are_one_gpu(hold: Callable[..., Job], nvidia_smi: Callable[..., None]) -> None:
    nvidia_smi(H100S)
    by_index = hold(1, CUDA_VISIBLE_DEVICES="1")
    # By its UUID, so that the order in which CUDA counts GPUs does not matter.
    assert by_index.line() == "GPU-bbbb1111-2"
    assert by_index.log() == "GPU 1 (leased; of 1)"
    by_uuid = hold(1, CUDA_VISIBLE_DEVICES="GPU-bbbb1")
    assert by_uuid.log() == f"waiting for 1 of GPU 1: process {by_index.process.pid} has GPU 1"
    by_index.end()
    assert by_uuid.line() == "GPU-bbbb1111-2"


def test_numbers_that_mean_different_gpus_are_refused(
    nvidia_smi: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    nvidia_smi(DIFFERENT)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(UserError, match=r"^CUDA_VISIBLE_DEVICES=0: .* set CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        visible_gpus()
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert visible_gpus() == [A]


def test_nvidia_smi_that_fails_is_told(nvidia_smi: Callable[..., None]) -> None:
    nvidia_smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\nMore.\n", status=9)
    with pytest.raises(UserError, match=r"^nvidia-smi --list-gpus: NVIDIA-SMI has failed .* driver\.; repair the dri"):
        lease_gpus(1, Path("locks"))


@pytest.mark.parametrize(("visible", "count", "sees"), [("0,1", 3, 2), ("", 1, 0), ("0,-1,1", 2, 1)])
def test_too_few_gpus(visible: str, count: int, sees: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(
        UserError, match=rf"needs {count} GPU\(s\) and sees {sees} \(CUDA_VISIBLE_DEVICES is '{visible}'\)"
    ):
        lease_gpus(count, Path("locks"))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible


# --- SLURM ---


def test_what_slurm_assigned_is_taken_as_it_is(
    hold: Callable[..., Job], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two jobs of one node each see their GPU as number 0."""
    jobs = [hold(1, SLURM_JOB_ID=number, CUDA_VISIBLE_DEVICES="0") for number in ("7", "8")]
    assert [job.line() for job in jobs] == ["0", "0"]
    assert [job.log() for job in jobs] == ["GPU 0 (assigned by SLURM)"] * 2
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    lease_gpus(3, Path("locks"))
    assert capsys.readouterr().err == "GPUs 0,1,2 (assigned by SLURM)\n"
    assert not Path("locks").exists()


def test_jobs_within_an_allocation_lease(hold: Callable[..., Job], monkeypatch: pytest.MonkeyPatch) -> None:
    two = [hold(1, SLURM_JOB_ID="7", CUDA_VISIBLE_DEVICES="0,1") for _ in range(2)]
    assert sorted(job.line() for job in two) == ["0", "1"]
    third = hold(1, SLURM_JOB_ID="7", CUDA_VISIBLE_DEVICES="0,1")
    assert third.log().startswith("waiting for 1 of GPUs 0,1: process ")
    # Number 0 of another allocation is another GPU.
    other = hold(1, SLURM_JOB_ID="8", CUDA_VISIBLE_DEVICES="0,1")
    assert other.log() == "GPU 0 (leased; of 0,1)"
    assert other.line() == "0"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with pytest.raises(UserError, match=r"needs 4 GPU\(s\) and sees 3"):
        lease_gpus(4, Path("locks"))


# --- mistakes ---


def test_folder_of_locks_must_be_private() -> None:
    Path("locks").mkdir(mode=0o700)
    Path("locks").chmod(0o777)
    with pytest.raises(UserError, match=r"^locks: is not a folder that you alone can use"):
        lease_gpus(1, Path("locks"))
    Path("locks").chmod(0o700)
    lease_gpus(1, Path("locks"))


def test_something_in_the_place_of_the_folder() -> None:
    Path("file").touch()
    Path("elsewhere").mkdir(mode=0o700)
    Path("link").symlink_to("elsewhere")
    for name in ("file", "link"):
        with pytest.raises(UserError, match=f"^{name}: is not a folder that you alone can use"):
            lease_gpus(1, Path(name))


def test_folder_of_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("locks").mkdir(mode=0o700)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(UserError, match="have its owner remove it"):
        lease_gpus(1, Path("locks"))


@pytest.mark.parametrize(("answer", "initialised"), [(0, True), (3, False)])
def test_cuda_must_not_be_in_use(answer: int, initialised: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver counts GPUs, or answers 3, CUDA_ERROR_NOT_INITIALIZED."""
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(cuDeviceGetCount=lambda count: answer))
    expected = pytest.raises(RuntimeError, match="CUDA was initialised before GPUs") if initialised else nullcontext()
    with expected:
        lease_gpus(1, Path("locks"))


def test_job_leases_what_its_rule_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []
    monkeypatch.setattr(compute, "lease_gpus", lambda count: calls.append(("lease", count)))
    monkeypatch.setattr(compute, "prepare_torch", lambda threads: calls.append(("threads", threads)))
    monkeypatch.setattr(compute, "bound_memory", lambda more: calls.append(("memory", min(more, 1))))
    compute.prepare_job("cuda", 3, 2)
    compute.prepare_job("cpu", 1, 0)
    # Where a GPU computes, the machine's memory does not decide on batches.
    assert calls == [("lease", 2), ("threads", 3), ("lease", 0), ("threads", 1), ("memory", 1)]
