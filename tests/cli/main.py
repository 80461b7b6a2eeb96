#!/usr/bin/env python3
"""Stories of the command line as a program, with and without a terminal, against a server with the AWS sandbox.

    tests/cli/main.py BINARY [NAME…]

Without a NAME all are told.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "stories")]

import commands
import doctor
import running
import signing_in
from support import tell_chosen

STORIES = signing_in.STORIES + commands.STORIES + running.STORIES + doctor.STORIES


def main(binary, *names):
    tell_chosen(STORIES, names, binary, "{} stories of the command line told, {} broken")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
