"""A server with things in it, so that requests find something."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "stories"))

import support  # noqa: E402  (the path above)

# How many things of a kind may be deleted; after that a DELETE finds nothing.
DOOMED = 3
# Users at AWS that no rotation has yet.
FREE_USERS = 8


class World:
    """The server, the token of the caller, and by the name of their dictionary the things that are there.

    What is only read is `kept`, what is changed is `changed`, what is deleted is `doomed`: so a change or a deletion
    does not take away what the next request looks for.
    """

    def __init__(self, binary, folder):
        self.aws = support.Sandbox(binary, folder)
        self.server = support.Server(binary, folder, self.aws)
        self.api = support.Api(self.server)
        self.api.token = self.api.admin_token
        self.things = {}
        tester = self.identity("tester")
        # Who calls, and who made the caller. Were one of them deleted, everything after it would be a 401.
        callers = [one["identityId"] for one in self.api.ok("GET", "/api/v1/identities")["identities"]]
        # What the caller makes, it may also use.
        self.token = self.api.token = self.api.admin_token = tester["token"]
        self.note("environments", "dev")
        self.note("paths", "/")
        self.note("webhook-urls", "http://127.0.0.1:9/")
        self.note("aws-key-ids", self.aws.connection["accessKeyId"])
        self.note("aws-secrets", self.aws.connection["secretAccessKey"])
        for user in self.users("free", FREE_USERS):
            self.note("free-users", user)
        for fate in ["kept", "changed", *["doomed"] * DOOMED]:
            self.fill(fate)
        kept = [value for name, values in self.things.items() if name.startswith("kept-") for value in values]
        self.untouchable = [*callers, self.api.project, *kept]

    def note(self, name, *values):
        self.things.setdefault(name, []).extend(values)

    def fill(self, fate):
        """One thing of each kind."""
        number = len(self.things.get(f"{fate}-connections", []))
        name = f"{fate}-{number}"
        api, project = self.api, self.api.project
        made = api.ok("POST", "/api/v1/projects", {"projectName": name, "slug": name})["project"]
        self.note(f"{fate}-projects", made["id"], made["slug"])
        if fate == "kept":
            self.note("projects", project)
        wanted = {"name": name, "slug": name}
        made = api.ok("POST", f"/api/v1/projects/{project}/environments", wanted)["environment"]
        self.note(f"{fate}-environments", made["id"])
        self.note(f"{fate}-slugs", made["slug"])
        place = {"projectId": project, "environment": "dev", "path": "/"}
        self.note(f"{fate}-folders", api.ok("POST", "/api/v2/folders", place | {"name": name})["folder"]["id"])
        self.note(f"{fate}-connections", api.connect(name)["id"])
        self.note(f"{fate}-connection-names", name)
        self.secret(fate, name.upper())
        self.webhook(fate)
        self.logins(fate, name)
        self.rotations(fate, name)

    def secret(self, fate, name):
        body = {"projectId": self.api.project, "environment": "dev", "secretPath": "/", "secretValue": "x"}
        made = self.api.ok("POST", f"/api/v4/secrets/{name}", body)["secret"]
        self.note(f"{fate}-secrets", name)
        self.note(f"{fate}-secret-ids", made["id"])

    def webhook(self, fate):
        body = {"projectId": self.api.project, "environment": "dev", "webhookUrl": "http://127.0.0.1:9/"}
        made = self.api.ok("POST", "/api/v1/webhooks", body)["webhook"]
        self.note(f"{fate}-webhooks", made["id"])

    def logins(self, fate, name):
        made = self.identity(name)
        self.note(f"{fate}-identities", made["id"])
        self.note(f"{fate}-client-ids", made["clientId"])
        self.note(f"{fate}-client-secrets", made["clientSecret"])
        self.note(f"{fate}-client-secret-ids", made["clientSecretId"])
        self.note(f"{fate}-tokens", made["token"])

    def rotations(self, fate, name):
        """A rotation that has rotated, so that it has a key of each kind."""
        [user] = self.users(name, 1)
        connection = self.things["kept-connections"][0]
        body = self.api.rotation(connection, user)
        rotation = self.api.ok("POST", support.ROTATIONS, body)["secretRotation"]["id"]
        self.api.rotate(rotation)
        self.note(f"{fate}-rotations", rotation)
        self.note(f"{fate}-rotation-names", body["name"])
        self.note(f"{fate}-keys", *self.aws.keys(user))

    def users(self, name, count):
        names = [f"{name}-user-{number}" for number in range(count)]
        for user in names:
            self.aws.user(user)
        return names

    def identity(self, name):
        """An administrator with a login."""
        # Wrong secrets are tried all the time; without this setting, right ones would be refused too.
        return self.api.identity(name, "admin", lockoutEnabled=False)
