"""From nothing to a rotated key through the API alone, and what the schedule does by itself."""

import threading

from support import ROTATIONS, Api, Sandbox, Server, require, until

FIELDS = set(
    "id name description isAutoRotationEnabled activeIndex folderId connectionId createdAt updatedAt rotationInterval "
    "rotationStatus lastRotationAttemptedAt lastRotatedAt lastRotationJobId nextRotationAt isLastRotationManual "
    "connection environment projectId folder rotateAtUtc lastRotationMessage type parameters secretsMapping".split()
)


def main_story(binary, folder, start=None):
    aws = start(folder) if start else Sandbox(binary, folder)
    server = Server(binary, folder, aws)
    api = Api(server)
    aws.user("app")
    aws.user("busy", keys=2)
    connection = api.connect()
    require("secretAccessKey" not in str(connection), "a connection never shows its secret")

    # The first key is created, verified and published with the rotation.
    made = api.ok("POST", ROTATIONS, api.rotation(connection["id"]))["secretRotation"]
    require(set(made) == FIELDS, f"a rotation has exactly the fields of the contract: {set(made) ^ FIELDS}")
    require(made["activeIndex"] == 0 and made["rotationStatus"] == "success", f"the first slot is active: {made}")
    require(made["parameters"] == {"userName": "app", "region": "us-east-1"}, "the region has its default")
    first = api.published()
    require(aws.accepts(first), "AWS accepts the first key")

    # Two rotations: the previous key lives, the one before it goes.
    second_slot = api.rotate(made["id"])
    second = api.published()
    require(second_slot["activeIndex"] == 1 and second != first, "a rotation publishes another key in the other slot")
    require(aws.accepts(first) and aws.accepts(second), "the previous key keeps working")
    require(api.secret("app_ID")["version"] == 2, "each rotation adds a version")
    require(api.rotate(made["id"])["activeIndex"] == 0, "the slots alternate")
    third = api.published()
    require(set(aws.keys("app")) == {second["accessKeyId"], third["accessKeyId"]}, "the two newest keys are at AWS")
    shown = api.ok("GET", f"{ROTATIONS}/{made['id']}/generated-credentials")
    ids = [credential["accessKeyId"] for credential in shown["generatedCredentials"]]
    require(ids == [third["accessKeyId"], second["accessKeyId"]], f"credentials come in slot order: {ids}")

    # A user with two keys of others is refused and left alone.
    foreign = aws.keys("busy")
    text = api.refused(400, "POST", ROTATIONS, api.rotation(connection["id"], "busy"))
    require(all(key in text for key in foreign), f"both foreign keys are named: {text}")
    require(aws.keys("busy") == foreign, "nothing changed at AWS")
    api.refused(400, "POST", ROTATIONS, api.rotation(connection["id"], "nobody"), containing="nobody")

    # Found by id, by name and in the list; changed; deleted with its keys.
    found = api.ok("GET", f"{ROTATIONS}/{made['id']}")["secretRotation"]
    place = f"projectId={api.project}&secretPath=/&environment=dev"
    named = api.ok("GET", f"{ROTATIONS}/rotation-name/rotate-app?{place}")["secretRotation"]
    listed = api.ok("GET", f"{ROTATIONS}?projectId={api.project}")["secretRotations"]
    require(found == named == listed[0] and len(listed) == 1, "by id, by name and in the list it is the same")
    swap = {"secretsMapping": {"accessKeyId": "app_SECRET", "secretAccessKey": "app_ID"}}
    api.ok("PATCH", f"{ROTATIONS}/{made['id']}", swap)
    require(api.secret("app_SECRET")["secretValue"] == third["accessKeyId"], "the two names can be swapped")
    paused = api.ok("PATCH", f"{ROTATIONS}/{made['id']}", {"isAutoRotationEnabled": False})["secretRotation"]
    require(paused["nextRotationAt"] is None, "a paused rotation has no next date")
    api.refused(400, "PATCH", f"{ROTATIONS}/{made['id']}", {"parameters": {"userName": "other"}})
    api.ok("DELETE", f"{ROTATIONS}/{made['id']}?deleteSecrets=true&revokeGeneratedCredentials=true")
    require(not aws.keys("app"), "a deletion with revoke leaves no key of ours")
    api.refused(404, "GET", f"{ROTATIONS}/{made['id']}")
    api.refused(404, "GET", f"/api/v3/secrets/raw/app_ID?workspaceId={api.project}&environment=dev")


def assume_role(binary, folder):
    """A role that demands the external id of the project."""
    aws = Sandbox(binary, folder)
    own = aws.connection
    server = Server(binary, folder, aws, {
        "INF_APP_CONNECTION_AWS_ACCESS_KEY_ID": own["accessKeyId"],
        "INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY": own["secretAccessKey"],
    })
    api = Api(server)
    aws.user("app")
    role = {"roleName": "rotator", "principal": "111122223333", "externalId": api.organization}
    aws.control("POST", "/roles", role)
    arn = {"roleArn": "arn:aws:iam::111122223333:role/rotator"}
    connection = api.connect(method="assume-role", credentials=arn)
    rotation = api.ok("POST", ROTATIONS, api.rotation(connection["id"]))["secretRotation"]
    api.rotate(rotation["id"])
    require(aws.accepts(api.published()), "a rotation works through an assumed role")
    aws.control("POST", "/roles", role | {"externalId": "somebody-else"})
    text = api.refused(500, "POST", f"{ROTATIONS}/{rotation['id']}/rotate-secrets")
    require("AccessDenied" in text, f"AWS's words reach the owner: {text}")


def schedule(binary, folder):
    """With a day of two seconds the schedule rotates by itself, through a failure too."""
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws, {"KEYWHEEL_DAY_LENGTH": "2s"})
    api = Api(server)
    aws.user("app")
    wanted = api.rotation(api.connect()["id"], rotationInterval=1)
    rotation = api.ok("POST", ROTATIONS, wanted)["secretRotation"]["id"]
    seen = {api.published()["accessKeyId"]}

    def three_keys():
        seen.add(api.published()["accessKeyId"])
        return seen if len(seen) >= 3 else None

    until("two rotations come by themselves", three_keys)
    shown = api.ok("GET", f"{ROTATIONS}/{rotation}")["secretRotation"]
    require(shown["isLastRotationManual"] is False and shown["lastRotationJobId"], f"the schedule did it: {shown}")
    aws.control("POST", "/faults", {"kind": "unavailable", "action": "CreateAccessKey", "count": 2})
    failed = until("a failure is shown", lambda: status(api, rotation, "failed"))
    require("ServiceUnavailable" in failed["lastRotationMessage"], f"with AWS's words: {failed}")
    until("it is tried again until it works", lambda: status(api, rotation, "success"))
    require(aws.accepts(api.published()), "what is published works")
    # Work that became due while the server was down runs at once.
    server.program.stop()
    before = set(aws.keys("app"))
    server.restart()
    until("overdue work runs at the start", lambda: True if set(aws.keys("app")) - before else None)


def one_at_a_time(binary, folder):
    """Many ask at once: one run at a time, clean refusals for the others, and never half of a pair."""
    aws = Sandbox(binary, folder)
    server = Server(binary, folder, aws)
    api = Api(server)
    aws.user("app")
    rotation = api.ok("POST", ROTATIONS, api.rotation(api.connect()["id"]))["secretRotation"]["id"]
    answers = []
    askers = [
        threading.Thread(target=lambda: answers.append(api.call("POST", f"{ROTATIONS}/{rotation}/rotate-secrets")))
        for _ in range(12)
    ]
    for asker in askers:
        asker.start()
    query = f"workspaceId={api.project}&environment=dev&secretPath=/"
    pairs = set()
    while any(asker.is_alive() for asker in askers):
        secrets = api.ok("GET", f"/api/v4/secrets?projectId={api.project}&{query}")["secrets"]
        values = {secret["secretKey"]: secret["secretValue"] for secret in secrets}
        pairs.add((values["app_ID"], values["app_SECRET"]))
    for key, secret in pairs | {tuple(api.published().values())}:
        if key in aws.keys("app"):
            require(aws.accepts({"accessKeyId": key, "secretAccessKey": secret}), "a list shows both halves of one key")
    good = [answer for status, answer in answers if status == 200]
    refused = [answer["message"] for status, answer in answers if status == 400]
    require(good and len(good) + len(refused) == len(answers), f"each is answered with 200 or 400: {answers}")
    require(all("already in progress" in text for text in refused), f"and the reason: {set(refused)}")
    created = [entry for entry in aws.calls() if entry["action"] == "CreateAccessKey" and entry["effect"]]
    require(len(created) == 1 + len(good), "one key is created for each rotation that was granted")


def status(api, rotation, wanted):
    shown = api.ok("GET", f"{ROTATIONS}/{rotation}")["secretRotation"]
    return shown if shown["rotationStatus"] == wanted else None


STORIES = [
    ("a rotation against the sandbox", main_story),
    ("a rotation through an assumed role", assume_role),
    ("the schedule rotates by itself", schedule),
    ("many ask for a rotation at once", one_at_a_time),
]
