"""`keywheel doctor`: all is well, or the fault that was planted is found, with how to mend it."""

import json
import subprocess

from stage import Stage
from support import require


def look(stage, *more, **settings):
    """Status and findings, by their checks."""
    environment = stage.environment(AWS_ENDPOINT_URL=stage.aws.url, **settings)
    arguments = ["doctor", "--data-dir", str(stage.folder / "data"), "--listen", f"127.0.0.1:{stage.server.port}"]
    ran = subprocess.run([stage.binary, *arguments, "--json", *more], capture_output=True, text=True, check=False,
                         env=environment)
    require(ran.stdout.startswith("{"), f"findings as JSON: {ran.stdout} {ran.stderr}")
    return ran.returncode, {found["check"]: found for found in json.loads(ran.stdout)["checks"]}


def finds(stage, check, outcome, containing, *more, **settings):
    status, found = look(stage, *more, **settings)
    here = found.get(check)
    require(here and here["outcome"] == outcome and containing in here["message"] + here["remedy"],
            f"{check} is {outcome} with {containing!r}: {found}")
    require(outcome == "ok" or here["remedy"], f"it says how to mend it: {here}")
    return status


def story(binary, folder):
    stage = Stage(binary, folder)
    data = folder / "data"
    data.chmod(0o700)
    status, found = look(stage, "--connections")
    faults = {check: one for check, one in found.items() if one["outcome"] == "fail"}
    require(status == 0 and not faults, f"nothing is broken: {found}")
    require({"database", "root key", "server", "AWS", "clock", "connection aws"} <= set(found), f"all is checked: {found}")
    may = found["connection aws, permissions"]["message"]
    require("iam:GetAccessKeyLastUsed; not checked" in may and "iam:CreateAccessKey" in may.split(";")[1],
            f"what a rotation needs is asked for, and what is not is told: {may}")

    data.chmod(0o755)
    require(finds(stage, "data folder", "warn", "chmod 700", "--strict") == 1, "warnings count with --strict")
    data.chmod(0o700)
    key = data / "root.key"
    key.chmod(0o644)
    require(finds(stage, "root key file", "fail", "chmod 600") == 2, "a failure is status 2")
    key.chmod(0o600)
    other = folder / "other.key"
    subprocess.run([binary, "root-key", "new", other], check=True, capture_output=True)
    finds(stage, "root key", "fail", "root_key_file", KEYWHEEL_ROOT_KEY_FILE=str(other))
    finds(stage, "own AWS credentials", "fail", "set both", INF_APP_CONNECTION_AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE")
    finds(stage, "settings", "fail", "KEYWHEEL_LEASE", KEYWHEEL_LEASE="soon")

    stage.aws.control("POST", "/faults", {"kind": "accessDenied", "action": "ListUsers", "count": 5})
    finds(stage, "connection aws", "warn", "iam:ListUsers", "--connections")
    stage.aws.control("DELETE", "/faults")
    stage.aws.control("POST", "/faults", {"kind": "accessDenied", "action": "GetAccessKeyLastUsed", "count": 5})
    finds(stage, "connection aws, iam:GetAccessKeyLastUsed", "fail", "allow iam:GetAccessKeyLastUsed", "--connections")
    stage.aws.control("DELETE", "/faults")
    stage.server.program.stop()
    require(finds(stage, "server", "warn", "none answers") == 0, "a server that is stopped is no failure")
    stage.aws.program.stop()
    finds(stage, "AWS", "fail", "cannot be reached")


def variables_of_the_command_line(binary, folder):
    """What the command line reads is no setting of the server, and is not complained about either."""
    stage = Stage(binary, folder, KEYWHEEL_URL="http://127.0.0.1:1", KEYWHEEL_PROJECT="p", KEYWHEEL_TOKEN="t")
    require("was ignored" not in stage.server.program.output(), stage.server.program.output())


STORIES = [("the doctor", story), ("variables of the command line", variables_of_the_command_line)]
