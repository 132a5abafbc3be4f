"""Slows a job down, lets it need more memory, lets Snakemake look more often. Python imports this file if it finds it.

SLOW=<module>:<function>:<seconds> waits at each call of that function for as long as there is a file ``slow`` in the
working directory; HUNGRY=<module>:<function>:<MB> takes so much memory at the first call, and holds it for ten seconds.
SLURM's plugin asks for the state of its jobs every second, instead of ten seconds later after each answer without news.
"""

import importlib.abc
import importlib.machinery
import os
import sys
import time
from pathlib import Path


def _slow(seconds):
    if Path("slow").exists():
        time.sleep(seconds)


_meals = []


def _hungry(megabytes):
    if not _meals:
        _meals.append(bytearray(b"x") * int(megabytes * 1_000_000))
        time.sleep(10)
        _meals[0] = None


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


def _before(function, effect, amount):
    """Has the effect before each call of the function."""

    def change(module):
        owner, _, name = function.rpartition(".")
        holder = getattr(module, owner) if owner else module
        original = getattr(holder, name)

        def wrapped(*args, **kwargs):
            effect(amount)
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


sys.meta_path.insert(0, _Change("snakemake_executor_plugin_slurm", _ask_often))
for variable, effect in (("SLOW", _slow), ("HUNGRY", _hungry)):
    if variable in os.environ:
        module, function, amount = os.environ[variable].split(":")
        sys.meta_path.insert(0, _Change(module, _before(function, effect, float(amount))))
