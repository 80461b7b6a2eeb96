#!/usr/bin/env python3
"""Stories of the server as a process, told from outside: through its API, and as AWS sees it.

    tests/stories/main.py BINARY [NAME…]

Without a NAME all are told. Those against moto and ministack need KEYWHEEL_MOTO_SERVER and KEYWHEEL_MINISTACK,
the paths of the two programs, and a Python with botocore; they fail without, unless KEYWHEEL_TEST_WITHOUT names
the emulator. Those of mails need a Python with cryptography, such as that of moto, and go with it. Those that kill at
named points need KEYWHEEL_FAULT_POINTS_BUILD, the path of a build with the feature `fault-points`.
"""

import functools
import os
import sys

import audits
import commands
import crashes
import kills
import lost_answers
import mail
import operators
import refusals
import rotations
from support import Broken, Emulator, tell_chosen


def moto(folder):
    program = needed("moto", "KEYWHEEL_MOTO_SERVER")
    any_key = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "any"}
    return Emulator("moto", [program, "-H", "127.0.0.1", "-p", "PORT"], {}, folder, "/moto-api/data.json", any_key)


def ministack(folder):
    program = needed("ministack", "KEYWHEEL_MINISTACK")
    settings = {"BIND_HOST": "127.0.0.1", "AUTH": "true", "GATEWAY_PORT": "PORT"}
    root = {"accessKeyId": "test", "secretAccessKey": "test"}
    return Emulator("ministack", [program], settings, folder, "/_ministack/health", root)


def needed(name, variable):
    program = os.environ.get(variable)
    if not program:
        raise Broken(f"{name} is there: run ./test, or set {variable} to the path of its program")
    return program


def with_points(_binary, folder, story):
    """Tells a story with the build that has fault points."""
    build = needed("a build with fault points", "KEYWHEEL_FAULT_POINTS_BUILD")
    story(os.path.abspath(build), folder)


def stories():
    yield from rotations.STORIES
    yield from audits.STORIES
    yield from crashes.STORIES
    yield from lost_answers.STORIES
    yield from kills.STORIES_WITHOUT_POINTS
    for name, story in kills.STORIES:
        yield name, functools.partial(with_points, story=story)
    yield from operators.STORIES
    yield from refusals.STORIES
    yield from commands.STORIES
    without = os.environ.get("KEYWHEEL_TEST_WITHOUT", "").split(",")
    if "moto" in without:
        print("skipped mails: what makes certificates comes with moto, left out by --without", flush=True)
    else:
        yield from mail.STORIES
    for name, start in (("moto", moto), ("ministack", ministack)):
        if name in without:
            print(f"skipped a rotation against {name}: left out by --without", flush=True)
        else:
            yield f"a rotation against {name}", functools.partial(rotations.main_story, start=start)


def main(binary, *names):
    tell_chosen(stories(), names, binary, "{} stories told, {} broken")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
