#!/usr/bin/env python3
"""The server against its own API document: main.py BINARY [--seed N] [OPTION of schemathesis]…

First both documents have to be valid, then schemathesis asks what they promise. Needs the packages of pins.txt.
"""

import argparse
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

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENTS = {
    "/api/docs/json": OpenAPIV31SpecValidator,
    "/api/docs/openapi-3.0.json": OpenAPIV30SpecValidator,
}


def faults(url):
    """What the validator has against the documents."""
    for path, validator in DOCUMENTS.items():
        status, document = support.call("GET", url + path)
        support.require(status == 200, f"{path} is served, not answered with {status}")
        found = list(validator(document).iter_errors())
        print(f"{path}: {document['openapi']}, {len(document['paths'])} paths, {len(found)} faults", flush=True)
        for fault in found:
            place = "/".join(str(part) for part in getattr(fault, "absolute_path", ()))
            yield f"{path}: {place}: {str(fault).splitlines()[0]}"


def ask(world, folder, seed, options):
    """Runs schemathesis; whether it found nothing."""
    print(f"seed {seed}", flush=True)
    program = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", HERE / "schemathesis.toml", "run", f"{world.server.url}/api/docs/json"]
    command += ["--seed", str(seed), "--no-color", *options]
    environment = os.environ | world.variables | {"PYTHONPATH": str(HERE), "PYTHONHASHSEED": "0"}
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
