#!/usr/bin/env python3
"""The server against its own API document: main.py BINARY [--seed N] [OPTION of schemathesis]…

First both documents have to be valid, then schemathesis asks what they promise. Needs the packages of pins.txt.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
from world import World, support

# Always the same requests, as far as ids and times allow; other seeds are for looking further.
SEED = 20_260_101
# Far above what a run takes: a server that hangs does not hang its test.
RUN_SECONDS_MAX = 900
FAULT_CHARS_MAX = 120

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENTS = {
    "/api/docs/json": OpenAPIV31SpecValidator,
    "/api/docs/openapi-3.0.json": OpenAPIV30SpecValidator,
}


def faults(url):
    """What the validator has against the documents; what it says many times is told once, with a place."""
    for path, validator in DOCUMENTS.items():
        status, document = support.call("GET", url + path)
        support.require(status == 200, f"{path} is served, not answered with {status}")
        places = collections.defaultdict(list)
        for fault in validator(document).iter_errors():
            place = "/".join(str(part) for part in getattr(fault, "absolute_path", ()))
            # The end of it: long ones begin with the part of the document that is wrong.
            places[fault.message.splitlines()[0][-FAULT_CHARS_MAX:]].append(place)
        print(f"{path}: {document['openapi']}, {len(document['paths'])} paths, {len(places)} faults", flush=True)
        for fault, found in places.items():
            yield f"{path}: {fault} ({len(found)} times, such as {found[0] or 'at an unknown place'})"


def settings(world, folder):
    """The settings in a file of their own, with what only this run knows."""
    text = (HERE / "schemathesis.toml").read_text()
    text += f"\n[auth.openapi.token]\nbearer = {json.dumps(world.token)}\n"
    for name, values in world.things.items():
        text += f"\n[dictionaries.{name}]\nvalues = {json.dumps(values)}\n"
    (folder / "schemathesis.toml").write_text(text)
    return folder / "schemathesis.toml"


def ask(world, folder, seed, options):
    """Runs schemathesis; whether it found nothing."""
    print(f"seed {seed}", flush=True)
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", settings(world, folder), "run", f"{world.server.url}/api/docs/json"]
    command += ["--seed", str(seed), "--no-color", *options]
    environment = os.environ | {
        "CONFORMANCE_UNTOUCHABLE": json.dumps(world.untouchable),
        "PYTHONPATH": str(HERE),
        "PYTHONHASHSEED": "0",
    }
    # In a folder of its own: it leaves files where it runs.
    return subprocess.run(command, cwd=folder, env=environment, timeout=RUN_SECONDS_MAX).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        try:
            world = World(arguments.binary.resolve(), folder)
            wrong = list(faults(world.server.url))
            print("\n".join(wrong), flush=True)
            good = ask(world, folder, arguments.seed, options)
        finally:
            for program in support.Process.running:
                program.kill()
    sys.exit(0 if good and not wrong else 1)


if __name__ == "__main__":
    main()
