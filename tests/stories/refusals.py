"""Bad input, and an environment that is not as it should be: each refusal says what to do and leaves nothing."""

import subprocess

from support import QUICK, ROTATIONS, Api, Sandbox, Server, free_port, require


def bad_input(binary, folder):
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws)
    api = Api(server)
    aws.user("app")
    aws.user("app2")
    connection = api.connect()["id"]
    good = api.rotation(connection)
    calls = len(aws.calls())

    api.refused(400, "POST", ROTATIONS, b'{"name": ', containing="not valid JSON")
    issues = api.refused(422, "POST", ROTATIONS, {"name": 7, "rotationInterval": 1.5})
    paths = {issue["path"][0] for issue in issues}
    require({"name", "projectId", "connectionId", "rotationInterval", "parameters"} <= paths, f"all at once: {paths}")
    for field, value in [("rotationInterval", 0), ("rotationInterval", 36501), ("name", "Not A Slug"),
                         ("description", "x" * 257), ("rotateAtUtc", {"hours": 24, "minutes": 0}),
                         ("parameters", {"userName": "app", "region": "mars"}), ("connectionId", "no-uuid")]:
        issues = api.refused(422, "POST", ROTATIONS, good | {field: value})
        require(issues[0]["path"][0] == field, f"{field} is named: {issues}")
    unknown = "01a1fc08-9084-7259-be15-4ce78df8a0b9"
    api.refused(404, "POST", ROTATIONS, good | {"projectId": unknown})
    api.refused(404, "POST", ROTATIONS, good | {"connectionId": unknown}, containing="App Connection")
    api.refused(400, "POST", ROTATIONS, good | {"secretPath": "/none"}, containing="/none")
    api.refused(400, "POST", ROTATIONS, good | {"environment": "none"}, containing="none")
    same = {"accessKeyId": "A", "secretAccessKey": "A"}
    api.refused(400, "POST", ROTATIONS, good | {"secretsMapping": same}, containing="duplicate keys")
    api.refused(404, "GET", f"{ROTATIONS}/{unknown}")
    api.refused(422, "GET", f"{ROTATIONS}/no-uuid")
    api.refused(404, "GET", "/api/v9/nothing", containing="not found")
    require(len(aws.calls()) == calls, "nothing of this reached AWS")

    place = {"workspaceId": api.project, "environment": "dev", "secretValue": "mine"}
    api.ok("POST", "/api/v3/secrets/raw/app_ID", place)
    api.refused(400, "POST", ROTATIONS, good, containing="app_ID")
    require(not aws.keys("app"), "a taken secret name costs no key at AWS")
    api.ok("DELETE", "/api/v3/secrets/raw/app_ID", {"workspaceId": api.project, "environment": "dev"})
    rotation = api.ok("POST", ROTATIONS, good | {"unknown": 1})["secretRotation"]
    api.refused(400, "POST", ROTATIONS, good, containing="already exists")
    second = api.rotation(connection, secretsMapping={"accessKeyId": "C", "secretAccessKey": "D"}, name="second")
    api.refused(400, "POST", ROTATIONS, second, containing="rotate-app")
    # The connection's own user, and keys that AWS does not know.
    api.refused(400, "POST", ROTATIONS, api.rotation(connection, "keywheel"), containing="itself")
    api.token, token = api.admin_token, api.token
    wrong = {"accessKeyId": "AKIAAAAAAAAAAAAAAAAA", "secretAccessKey": "wrong"}
    body = {"name": "wrong", "method": "access-key", "credentials": wrong}
    api.refused(400, "POST", "/api/v1/app-connections/aws", body, containing="InvalidClientTokenId")
    api.refused(400, "DELETE", f"/api/v1/app-connections/aws/{connection}")
    api.token = token
    # What a rotation writes is not for hands, and what holds it cannot go.
    api.refused(400, "PATCH", "/api/v3/secrets/raw/app_ID", place, containing="rotated secret")
    api.refused(400, "DELETE", "/api/v3/secrets/raw/app_ID", place, containing="rotated secret")
    api.refused(400, "DELETE", f"/api/v1/projects/{api.project}", containing="rotate-app")
    require(rotation["rotationStatus"] == "success", "and the rotation is untouched")


def unreachable_aws(binary, folder):
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws)
    api = Api(server)
    aws.user("app")
    connection = api.connect()["id"]
    rotation = api.ok("POST", ROTATIONS, api.rotation(connection))["secretRotation"]["id"]
    before = api.published()
    server.program.stop()
    server.restart(AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}")
    api.refused(500, "POST", f"{ROTATIONS}/{rotation}/rotate-secrets", containing="app")
    require(api.published() == before, "reading never depends on AWS")
    shown = api.ok("GET", f"{ROTATIONS}/{rotation}")["secretRotation"]
    require(shown["rotationStatus"] == "failed" and shown["lastRotationMessage"], f"the failure is shown: {shown}")
    api.refused(400, "POST", ROTATIONS, api.rotation(connection, "other"))


def wrong_start(binary, folder):
    """A wrong root key, a second process and wrong settings are refused at start, in words that help."""
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws)
    data = str(folder / "data")
    refuses(binary, data, {}, "in use by another process")
    server.program.stop()
    refuses(binary, data, {"KEYWHEEL_ROOT_KEY": "00" * 32}, "wrong root key")
    refuses(binary, data, {"KEYWHEEL_VERIFY_SPACING": "soon", "KEYWHEEL_LISTEN": "here"}, "KEYWHEEL_VERIFY_SPACING")
    refuses(binary, data, {"KEYWHEEL_UNSAFE_TIMINGS": "false"}, "unsafe_timings")
    server.restart()


def refuses(binary, data, settings, words):
    arguments = [binary, "server", "--listen", f"127.0.0.1:{free_port()}", "--data-dir", data]
    done = subprocess.run(arguments, env=QUICK | settings, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    require(done.returncode != 0, f"the start is refused with {settings}")
    require(words in said, f"it says {words!r}: {said}")
    require("panicked" not in said, f"without a panic: {said}")


STORIES = [
    ("bad input is refused and leaves nothing", bad_input),
    ("an unreachable AWS", unreachable_aws),
    ("a start that cannot go well", wrong_start),
]
