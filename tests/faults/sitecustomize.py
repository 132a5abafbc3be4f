"""Hits a job in the middle of its work. Python imports this file if it finds it.

FAULT=<module>:<function>:<n>[:<what>] does so at the n-th call of that function: ``kill`` (the default) sends SIGKILL
to the process group, which is the job and the Snakemake that runs it; ``terminate`` sends SIGTERM to the job alone;
``orphan`` sends SIGKILL to that Snakemake alone, and the job goes on after half a minute; with ``hang``, never.
"""

import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time


class _Killer(importlib.abc.MetaPathFinder):
    def __init__(self, fault):
        self.module, self.function, count, *what = fault.split(":")
        self.left = int(count)
        self.hit = getattr(self, what[0] if what else "kill")

    def kill(self):
        os.killpg(0, signal.SIGKILL)

    def terminate(self):
        os.kill(os.getpid(), signal.SIGTERM)

    def orphan(self):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(30)

    def hang(self):
        self.orphan()
        while True:
            time.sleep(1)

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
                    self.hit()
                return original(*args, **kwargs)

            setattr(holder, name, counted)

        spec.loader.exec_module = patched
        return spec


if "FAULT" in os.environ:
    sys.meta_path.insert(0, _Killer(os.environ["FAULT"]))
