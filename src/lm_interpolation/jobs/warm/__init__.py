"""A Python whose programs start with the heavy packages already imported, for runs of many short jobs on one machine.

To import torch and transformers takes four seconds, and many a job of a small study computes for one. ``launching.py``
writes a launcher that takes the place of ``sys.executable``: it asks a server (``server.py``), which has imported these
packages once, to fork, and passes arguments, environment, working directory and standard streams on, signals to the
child, and its exit status back. Modules of this project are not imported beforehand: each child imports them itself, as
a new Python does.

It differs from a separate Python in the parent (``os.getppid``), the session, the hash seed, and inherited files other
than the standard streams. If the server cannot start, or for options and a ``sitecustomize`` that it does not know, the
launcher runs the real Python.
"""
