"""Disturbs jobs, and makes Snakemake check more often. Python imports this file if it finds it.

FAULT=<module>:<function>:<n>[:<what>] hits a job at the n-th call of that function: ``kill`` (the default) sends
SIGKILL to the process group, which is the job and the Snakemake that runs it; ``terminate`` sends SIGTERM to the job
alone; ``orphan`` sends SIGKILL to that Snakemake alone, and the job goes on after half a minute; with ``hang``, never.
SLOW=<module>:<function>:<seconds> waits at each call of that function for as long as there is a file ``slow`` in the
working directory; HUNGRY=<module>:<function>:<MB> takes so much memory at the first call, and holds it for ten seconds.
SLURM's plugin asks for the state of its jobs every second, instead of ten seconds later after each answer without news.
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from pathlib import Path


def _kill():
    os.killpg(0, signal.SIGKILL)


def _terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def _orphan():
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(30)


def _hang():
    _orphan()
    while True:
        time.sleep(1)


def _fault(number, what="kill"):
    left = int(number)
    hit = {"kill": _kill, "terminate": _terminate, "orphan": _orphan, "hang": _hang}[what]

    def effect():
        nonlocal left
        left -= 1
        if left == 0:
            hit()

    return effect


def _slow(seconds):
    def effect():
        if Path("slow").exists():
            time.sleep(float(seconds))

    return effect


def _hungry(megabytes):
    meals = []

    def effect():
        if not meals:
            meals.append(bytearray(b"x") * int(float(megabytes) * 1_000_000))
            time.sleep(10)
            meals[0] = None

    return effect


def _before(function, effect):
    """Has the effect before each call of the function."""

    def change(module):
        owner, _, name = function.rpartition(".")
        holder = getattr(module, owner) if owner else module
        original = getattr(holder, name)

        def wrapped(*args, **kwargs):
            effect()
            return original(*args, **kwargs)

        setattr(holder, name, wrapped)

    return change


def _ask_often(plugin):
    original = plugin.Executor.check_active_jobs

    async def check_active_jobs(self, active_jobs):
        async for job in original(self, active_jobs):
            yield job
        self.next_seconds_between_status_checks = 1

    plugin.Executor.check_active_jobs = check_active_jobs


class _Change(importlib.abc.MetaPathFinder):
    """Changes a module when it is imported."""

    def __init__(self, module, change):
        self.module, self.change = module, change

    def find_spec(self, fullname, path, target=None):
        if fullname != self.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        execute = spec.loader.exec_module

        def changed(module):
            execute(module)
            self.change(module)

        spec.loader.exec_module = changed
        return spec


sys.meta_path.insert(0, _Change("snakemake_executor_plugin_slurm", _ask_often))
for variable, disturb in (("FAULT", _fault), ("SLOW", _slow), ("HUNGRY", _hungry)):
    if variable in os.environ:
        module, function, *options = os.environ[variable].split(":")
        sys.meta_path.insert(0, _Change(module, _before(function, disturb(*options))))
