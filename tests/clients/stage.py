"""What every client finds: a server, an AWS, and in the project a rotation whose pair is published."""

import aws
from support import ROTATIONS, Api, Sandbox, Server, require

# The user at AWS, and the secrets that its pair is published in.
USER = "app"
PAIR = ("app_ID", "app_SECRET")
# A user at AWS whose keys nothing rotates yet.
FREE_USER = "free"


class Stage:
    def __init__(self, binary, folder):
        self.aws = Sandbox(binary, folder)
        # What the server assumes roles with.
        self.server = Server(binary, folder, self.aws, {
            "INF_APP_CONNECTION_AWS_ACCESS_KEY_ID": self.aws.connection["accessKeyId"],
            "INF_APP_CONNECTION_AWS_SECRET_ACCESS_KEY": self.aws.connection["secretAccessKey"],
        })
        self.api = Api(self.server)
        for user in (USER, FREE_USER):
            self.aws.user(user)
        connection = self.api.connect()["id"]
        wanted = self.api.rotation(connection, USER)
        self.rotation = self.api.ok("POST", ROTATIONS, wanted)["secretRotation"]["id"]
        found = self.api.ok("GET", f"/api/v1/projects/{self.api.project}")["project"]
        self.project, self.slug = found["id"], found["slug"]

    def rotate(self):
        """What no client can do."""
        self.api.rotate(self.rotation)

    def require_works(self, pair, user=USER):
        """The pair that a client read signs a call at AWS, which says whose it is."""
        arn = aws.caller(self.aws.url, *pair)
        require(arn and arn.endswith(f":user/{user}"), f"AWS takes {pair[0]} for a key of {user}, not of {arn}")

    def put(self, name, value, environment="dev", path="/"):
        body = {"projectId": self.project, "environment": environment, "secretPath": path, "secretValue": value}
        self.api.ok("POST", f"/api/v4/secrets/{name}", body)

    def folder(self, name, environment="dev", path="/"):
        body = {"projectId": self.project, "environment": environment, "path": path, "name": name}
        self.api.ok("POST", "/api/v2/folders", body)

    def bring(self, source, environment="dev", path="/"):
        """Imports an environment into a folder."""
        body = {"projectId": self.project, "environment": environment, "path": path}
        self.api.ok("POST", "/api/v2/secret-imports", body | {"import": {"environment": source, "path": "/"}})

    def tag(self, slug):
        """The id of a new tag."""
        wanted = {"slug": slug, "color": "#ff0000"}
        return self.api.ok("POST", f"/api/v1/projects/{self.project}/tags", wanted)["tag"]["id"]

    def require_seen(self, kind):
        """The audit log tells with what kind of client the pair was read and a write to it was tried."""
        query = f"?userAgentType={kind}&secretKey={PAIR[0]}&limit=1000"
        with self.api.as_administrator():
            entries = self.api.ok("GET", "/api/v1/organization/audit-logs" + query)["auditLogs"]
        events = {entry["event"]["type"] for entry in entries}
        require({"get-secret", "update-secret"} <= events, f"the audit log shows what {kind} did: {events}")
