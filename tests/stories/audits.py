"""The audit log from outside: what the schedule leaves in it, and what its proof finds."""

import contextlib
import os
import shutil
import sqlite3
import subprocess

from support import ROTATIONS, Api, Sandbox, Server, require, until

LOGS = "/api/v1/organization/audit-logs"
ROTATED = "secret-rotation-rotate-secrets"


def entries(api, query):
    token, api.token = api.token, api.admin_token
    try:
        return api.ok("GET", f"{LOGS}?limit=1000&{query}")["auditLogs"]
    finally:
        api.token = token


def verify(binary, data, *arguments):
    """Status and words of `keywheel audit verify`."""
    command = [binary, "audit", "verify", "--data-dir", str(data), *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KEYWHEEL_")}
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    return ran.returncode, ran.stdout + ran.stderr


def proven_head(binary, data):
    status, words = verify(binary, data)
    require(status == 0, f"the chain holds: {words}")
    return words.strip().splitlines()[-1].split()[-1]


def schedule(binary, folder):
    """A scheduled rotation is told of as the platform's, with its end, whether it works or fails."""
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws, {"KEYWHEEL_DAY_LENGTH": "2s"})
    api = Api(server)
    aws.user("app")
    rotation = api.ok("POST", ROTATIONS, api.rotation(api.connect()["id"], rotationInterval=1))["secretRotation"]["id"]

    def told(outcome):
        found = entries(api, f"eventType={ROTATED}&actorType=platform&eventMetadata=outcome={outcome}")
        return found[0] if found else None

    good = until("a scheduled rotation is told of", lambda: told("success"))
    metadata = good["event"]["metadata"]
    require(metadata["rotationId"] == rotation and metadata["jobId"], f"with rotation and job: {metadata}")
    require(metadata["status"] == "success" and metadata["message"] is None, f"as a success: {metadata}")
    require(good["actor"] == {"type": "platform", "metadata": {}}, f"by the platform: {good['actor']}")
    require(good["createdAt"] <= good["updatedAt"], "it begins before it ends")
    aws.control("POST", "/faults", {"kind": "unavailable", "action": "CreateAccessKey", "count": 2})
    metadata = until("a failed one is told of", lambda: told("failure"))["event"]["metadata"]
    require(metadata["status"] == "failed", f"as a failure: {metadata}")
    require(metadata["message"] == "Rotation will be re-attempted shortly...", f"that is tried again: {metadata}")


@contextlib.contextmanager
def tampered(folder, name):
    """A copy of the data, to be written to by somebody who has the database and not the root key's use."""
    copy = folder / name
    shutil.copytree(folder / "data", copy)
    database = sqlite3.connect(copy / "keywheel.db", isolation_level=None)
    for trigger in ("audit_records_stay_as_they_are", "audit_records_go_oldest_first"):
        database.execute(f"DROP TRIGGER {trigger}")
    try:
        yield copy, database
    finally:
        database.close()


def proof(binary, folder):
    """The chain is proven beside a running server and after a kill; whatever is done to it is found."""
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws)
    api = Api(server)
    noted = proven_head(binary, folder / "data")
    for number in range(20):
        api.ok("POST", "/api/v1/folders", {"workspaceId": api.project, "environment": "dev", "name": f"f{number}"})
    server.program.kill()
    server.restart()
    made = entries(api, "eventType=create-folder")
    require(len(made) == 20, f"no change that was answered is missing after a kill: {len(made)}")
    server.program.stop()
    head = proven_head(binary, folder / "data")
    status, words = verify(binary, folder / "data", "--expect-head", noted)
    require(status == 0, f"a head that was noted is still in the chain: {words}")

    for name, what, found in (
        ("changed", "UPDATE audit_records SET body = replace(body, 'f3', 'f4') WHERE seq = 20", "record 20 was changed"),
        ("hidden", "UPDATE audit_records SET event = 'get-secret' WHERE seq = 1", "record 1 cannot be found"),
        ("missing", "DELETE FROM audit_records WHERE seq = 12", "record 12 is missing"),
        ("oldest", "DELETE FROM audit_records WHERE seq <= 3", "record 1 is missing"),
        ("cut", "DELETE FROM audit_records WHERE seq > 30", "the log ends after record 30"),
        ("forged", """INSERT INTO audit_records (seq, hash, entry_id, part, at, body)
            SELECT seq + 1, randomblob(32), lower(hex(randomblob(16))), 'completed', at, body FROM audit_records
            ORDER BY seq DESC LIMIT 1; UPDATE audit_chain SET head_seq = head_seq + 1""", "was changed, moved, or not"),
        ("put-beside", """INSERT INTO audit_records (seq, hash, entry_id, part, at, body)
            SELECT -5, zeroblob(32), lower(hex(randomblob(16))), 'completed', at, body FROM audit_records LIMIT 1""",
            "record -5 is not a part of the log"),
    ):
        with tampered(folder, name) as (copy, database):
            database.executescript(what)
            status, words = verify(binary, copy)
            require(status == 1 and found in words, f"what was {name} is found: {status} {words}")
    with tampered(folder, "cut-with-its-head") as (copy, database):
        database.executescript("""DELETE FROM audit_records WHERE seq > 30;
            UPDATE audit_chain SET (head_seq, head_hash) = (SELECT seq, hash FROM audit_records WHERE seq = 30)""")
        status, words = verify(binary, copy, "--expect-head", head)
        require(status == 1 and "cut off" in words, f"the head that was noted tells: {status} {words}")
    shutil.copytree(folder / "data", folder / "other-key")
    (folder / "other-key" / "root.key").write_text("11" * 32)
    (folder / "other-key" / "root.key").chmod(0o600)
    status, words = verify(binary, folder / "other-key")
    require(status == 1, f"nothing is proven with another root key: {words}")


STORIES = [
    ("the audit log tells of the schedule", schedule),
    ("the audit log is proven, and whatever is done to it is found", proof),
]
