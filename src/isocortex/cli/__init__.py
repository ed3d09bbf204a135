"""The command line: thin, quick to answer, and one line for every mistake.

Each module holds the commands of one matter and hangs them on the application. Whatever is heavy is
imported inside the commands, so that ``isocortex --help`` answers at once.
"""

from isocortex.cli import study  # isort: skip  # the order of the imports is that of the help
from isocortex.cli import encode  # isort: skip
from isocortex.cli import orientation  # isort: skip
from isocortex.cli import compare  # isort: skip
from isocortex.cli import fields  # isort: skip
from isocortex.cli import render  # isort: skip
from isocortex.cli import inspect  # isort: skip
from isocortex.cli.main import main
from isocortex.cli.root import app

__all__ = [
    "app",
    "compare",
    "encode",
    "fields",
    "inspect",
    "main",
    "orientation",
    "render",
    "study",
]
