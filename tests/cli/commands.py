"""Each group of commands: tables for people, the API's objects for programs, and exit codes."""

import json
import re
import shutil
import subprocess

from stage import Stage
from support import require


def tables_and_json(binary, folder):
    """The same data as a table, and as the API has it."""
    stage = Stage(binary, folder)
    table = stage.good("rotations", "list")
    head, row = (line.split() for line in table.splitlines())
    require(head[:2] == ["NAME", "STATE"] and row[:2] == ["rotate-app", "healthy"], f"a table of one rotation: {table}")
    listed = stage.json("rotations", "list")
    of_api = stage.api.ok("GET", "/api/v2/secret-rotations/search")
    require(listed == of_api, f"JSON is what the API says: {listed}")
    require(stage.json("rotations", "get", "rotate-app") == stage.json("rotations", "get", stage.rotation),
            "a name and an id mean the same rotation")
    require(stage.json("status")["overview"]["totalCount"] == 1, "status counts the rotations")
    for command in (["projects", "list"], ["environments", "list"], ["connections", "list"], ["webhooks", "list"],
                    ["rotations", "keys", "rotate-app"], ["rotations", "history", "rotate-app", "--steps"]):
        stage.good(*command)
        stage.json(*command)
    for command in (["identities", "list"], ["audit", "list"]):
        stage.good(*command, environment=stage.as_administrator())
        stage.json(*command, environment=stage.as_administrator())
    entries = stage.good("audit", "export", "--since", "1h", environment=stage.as_administrator()).splitlines()
    types = {json.loads(entry)["event"]["type"] for entry in entries}
    require("create-secret-rotation" in types, f"an export has each entry on a line: {types}")
    quiet = stage.run("rotations", "pause", "rotate-app", "--quiet")
    require(quiet == (0, "", ""), f"quiet says nothing: {quiet}")


def exit_codes(binary, folder):
    """Each way to fail has its code."""
    stage = Stage(binary, folder)
    stage.refused(2, "unexpected argument", "rotations", "list", "--nonsense")
    stage.refused(2, "give --env", "secrets", "list")
    words = stage.refused(5, "no environment", "secrets", "list", "--env", "production")
    require("dev" in words, f"the environments that there are are named: {words}")
    stage.refused(5, "there is no rotation", "rotations", "get", "nothing")
    stage.refused(4, "not allowed", "audit", "list")
    stage.refused(6, "", "rotations", "create", "rotate-app", "--env", "dev", "--connection", stage.connection,
                  "--user", "app")
    stage.refused(2, "--yes", "rotations", "delete", "rotate-app")
    away = stage.as_deployer() | {"KEYWHEEL_URL": "http://127.0.0.1:1", "KEYWHEEL_TOKEN": "any"}
    stage.refused(8, "cannot reach", "rotations", "list", environment=away)
    stage.aws.control("POST", "/faults", {"kind": "accessDenied", "action": "ListAccessKeys", "count": 50})
    stage.refused(7, "would fail", "rotations", "preview", "rotate-app")
    stage.aws.control("DELETE", "/faults")
    stage.aws.control("POST", "/faults", {"kind": "accessDenied", "action": "CreateAccessKey", "count": 50})
    words = stage.refused(7, "", "rotations", "rotate", "rotate-app")
    require("AccessDenied" in words, f"AWS's word is told: {words}")
    stage.aws.control("DELETE", "/faults")
    stage.good("rotations", "rotate", "rotate-app")
    first = subprocess.run(f"{binary} rotations list --output json | head -1", shell=True, capture_output=True,
                           text=True, check=False, env=stage.as_deployer())
    require((first.stdout, first.stderr) == ("{\n", ""), f"a reader that goes away is no failure: {first}")


def a_rotation_and_its_keys(binary, folder):
    """From create to delete, with what each step shows."""
    stage = Stage(binary, folder)
    stage.aws.user("app2")
    arguments = ["rotations", "create", "second", "--env", "dev", "--connection", "aws", "--user", "app2",
                 "--id-secret", "SECOND_ID", "--key-secret", "SECOND_SECRET", "--at", "04:30"]
    preview = stage.good(*arguments, "--preview")
    require("create" in preview and stage.aws.keys("app2") == {}, f"a preview makes nothing: {preview}")
    made = stage.json(*arguments)["secretRotation"]
    require(made["rotateAtUtc"] == {"hours": 4, "minutes": 30}, f"it is made as asked: {made}")
    first = stage.good("secrets", "get", "SECOND_ID", "--env", "dev").strip()

    _, data, words = stage.run("rotations", "rotate", "second")
    require(data == "", f"progress is no data: {data}")
    steps = [line.split() for line in words.splitlines() if re.match(r" +\d+(\.\d)? m?s  ", line)]
    names = [step[2] for step in steps]
    require({"create", "verify", "publish"} <= set(names), f"steps are told with times: {words}")
    second = stage.good("secrets", "get", "SECOND_ID", "--env", "dev").strip()
    require(first != second, "there is a new key")

    stage.good("rotations", "hold", "second", "--reason", "still used")
    require("held: still used" in stage.good("rotations", "keys", "second"), "a held key is shown as such")
    stage.good("rotations", "release", "second")
    require("planned" in stage.good("rotations", "preview", "second", "--action", "rollback"), "a preview has steps")
    stage.good("rotations", "rollback", "second", "--yes")
    require(stage.good("secrets", "get", "SECOND_ID", "--env", "dev").strip() == first, "the first key is back")
    stage.good("rotations", "retire", "second", "--yes")
    require(list(stage.aws.keys("app2")) == [first], "the other key is gone at AWS")

    stage.good("rotations", "pause", "second")
    require("paused" in stage.good("rotations", "get", "second"), "it is paused")
    stage.good("rotations", "resume", "second")
    stage.good("rotations", "update", "second", "--every", "60")
    require("every 60 d at 04:30" in stage.good("rotations", "get", "second"), "it has another schedule")
    # Of interval and waits, what makes room for the other comes first.
    stage.good("rotations", "update", "second", "--retirement", "grace", "--grace-hours", "40")
    stage.refused(6, "Shorten them", "rotations", "update", "second", "--every", "1")
    stage.good("rotations", "update", "second", "--every", "1", "--grace-hours", "6", "--quarantine-hours", "6")
    stage.good("rotations", "update", "second", "--every", "60", "--grace-hours", "400")
    require("works for 400 h, inactive for 6 h" in stage.good("rotations", "get", "second"), "it has another policy")
    require("not asked" in stage.good("rotations", "keys", "second"), "what is not known is said")
    require("not asked" not in stage.good("rotations", "keys", "second", "--ask-aws"), "until AWS is asked")
    stage.good("rotations", "delete", "second", "--yes", "--delete-secrets", "--revoke-keys")
    require(stage.aws.keys("app2") == {}, "its keys are gone")


def on_a_terminal(binary, folder):
    """What a flag left open is asked for; what cannot be taken back is confirmed; progress is shown as it happens."""
    stage = Stage(binary, folder)
    stage.aws.user("app2")
    typed = stage.typed("rotations", "create", "--id-secret", "SECOND_ID", "--key-secret", "SECOND_SECRET")
    typed.shows("Name of the rotation").types("second")
    typed.shows("Environment").types("dev")
    typed.shows("Connection").types("aws")
    typed.shows("IAM user").types("app2")
    typed.shows("healthy").ends(0)
    require(len(stage.aws.keys("app2")) == 1, "a key was made")

    shown = stage.typed("rotations", "rotate", "second").ends(0)
    require("publish" in shown and "has a new access key" in shown, f"the steps are shown: {shown!r}")
    stage.typed("rotations", "rollback", "second").shows("Publish AKIA").types("n").ends(1)
    typed = stage.typed("rotations", "delete", "second")
    typed.shows("Delete the rotation second?").types("y").shows("deleted second").ends(0)

    typed = stage.typed("secrets", "set", "TYPED", "--env", "dev").shows("Value of TYPED").types("hush-hush")
    require("hush-hush" not in typed.shows("made TYPED").ends(0), "a value is not shown")
    require(stage.good("secrets", "get", "TYPED", "--env", "dev") == "hush-hush\n", "it is what was typed")


def secrets_and_access(binary, folder):
    """Values come from standard input, never from arguments, and are not told by whoever sets them."""
    stage = Stage(binary, folder)
    place = ["--env", "dev"]
    _, data, words = stage.run("secrets", "set", "PASSWORD", *place, "--output", "json", stdin="line 1\nline 2\n")
    require("line 1" not in data + words, f"who sets a value does not want to see it: {data} {words}")
    require(stage.good("secrets", "get", "PASSWORD", *place) == "line 1\nline 2\n", "it is stored as given")
    stage.good("secrets", "set", "PASSWORD", *place, stdin="other")
    require("other" not in stage.good("secrets", "list", *place), "a list shows no values")
    require("other" in stage.good("secrets", "list", *place, "--values"), "unless they are asked for")
    stage.refused(2, "standard input is empty", "secrets", "set", "PASSWORD", *place)
    stage.good("secrets", "delete", "PASSWORD", *place, "--yes")
    stage.refused(5, "", "secrets", "get", "PASSWORD", *place)
    for times in ("made the folder", "is there already"):
        words = stage.run("folders", "create", "/backend/mailer", "--env", "dev")[2]
        require(times in words, f"a folder is made with those above it: {words}")
    require("mailer" in stage.good("folders", "list", "--env", "dev", "--path", "/backend"), "and listed")
    stage.good("folders", "delete", "/backend", "--env", "dev", "--yes")
    stage.refused(5, "no folder", "folders", "delete", "/backend", "--env", "dev", "--yes")

    admin = stage.as_administrator()
    stage.good("projects", "create", "Web shop", "--slug", "web-shop", environment=admin)
    stage.good("environments", "create", "qa", "--project", "web-shop", environment=admin)
    stage.good("identities", "create", "ci", environment=admin)
    for role in ("viewer", "member"):
        stage.good("identities", "grant", "ci", "--project", "web-shop", "--role", role, environment=admin)
    made = stage.json("identities", "client-secret", "ci", environment=admin)
    job = stage.environment(KEYWHEEL_URL=stage.server.url, KEYWHEEL_CLIENT_ID=made["clientId"],
                            KEYWHEEL_CLIENT_SECRET=made["clientSecret"], KEYWHEEL_ENVIRONMENT="qa")
    stage.good("secrets", "set", "A", stdin="1", environment=job)
    stage.refused(4, "not allowed", "environments", "delete", "qa", "--yes", environment=job)
    stage.good("identities", "delete", "ci", "--yes", environment=admin)
    stage.refused(3, "", "secrets", "get", "A", environment=job)
    stage.good("projects", "delete", "web-shop", "--yes", environment=admin)
    secret = stage.aws.connection
    stage.good("connections", "create", "other", "--access-key", secret["accessKeyId"], "--secret-stdin",
               stdin=secret["secretAccessKey"], environment=admin)
    require("app" in stage.good("connections", "users", "other"), "its users are listed")
    stage.good("connections", "test", "other")
    stage.refused(6, "", "connections", "delete", "aws", "--yes", environment=admin)
    stage.good("connections", "delete", "other", "--yes", environment=admin)


def completions(binary, folder):
    """Shells take the scripts, and those know operators' commands, too."""
    for shell in ("bash", "zsh", "fish", "powershell"):
        made = subprocess.run([binary, "completion", shell], capture_output=True, text=True, check=False)
        require(made.returncode == 0 and "rotations" in made.stdout and "root-key" in made.stdout,
                f"a script for {shell}: {made.stderr}")
        if shell != "powershell" and shutil.which(shell):
            script = folder / shell
            script.write_text(made.stdout)
            checked = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
            require(checked.returncode == 0, f"{shell} takes it: {checked.stderr}")
    both = subprocess.run([binary, "audit", "--help"], capture_output=True, text=True, check=False).stdout
    require("verify" in both and "export" in both, f"the group audit is one: {both}")


STORIES = [
    ("tables and json", tables_and_json),
    ("exit codes", exit_codes),
    ("a rotation and its keys", a_rotation_and_its_keys),
    ("commands on a terminal", on_a_terminal),
    ("secrets and access", secrets_and_access),
    ("completions", completions),
]
