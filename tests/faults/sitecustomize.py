"""Kills a job, and the Snakemake that runs it, in the middle of its work. Python imports this file if it finds it.

FAULT=<module>:<function>:<n> sends SIGKILL to the whole process group at the n-th call of that function.
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys


class _Killer(importlib.abc.MetaPathFinder):
    def __init__(self, fault):
        self.module, self.function, count = fault.split(":")
        self.left = int(count)

    def find_spec(self, fullname, path, target=None):
        if fullname != self.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        execute = spec.loader.exec_module

        def patched(module):
            execute(module)
            owner, _, name = self.function.rpartition(".")
            holder = getattr(module, owner) if owner else module
            original = getattr(holder, name)

            def counted(*args, **kwargs):
                self.left -= 1
                if self.left == 0:
                    os.killpg(0, signal.SIGKILL)
                return original(*args, **kwargs)

            setattr(holder, name, counted)

        spec.loader.exec_module = patched
        return spec


if "FAULT" in os.environ:
    sys.meta_path.insert(0, _Killer(os.environ["FAULT"]))
