"""A server with something in it: what schemathesis is given to ask for."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "stories"))

import support  # noqa: E402  (the path above)

# Users at AWS. The first two have rotations; the others are there to be taken.
USERS = [f"app{number}" for number in range(8)]


class World:
    """The server, and what the settings of schemathesis call by variables."""

    def __init__(self, binary, folder):
        self.aws = support.Sandbox(binary, folder)
        for user in USERS:
            self.aws.user(user)
        self.server = support.Server(binary, folder, self.aws)
        self.api = support.Api(self.server)
        self.api.token = self.api.admin_token
        connection = self.api.connect()["id"]
        rotations = [self.rotation(connection, user) for user in USERS[:2]]
        tester = self.identity("tester")
        # Who calls, and who made the caller. Were one of the two deleted, everything after it would be a 401.
        untouchable = [found["identityId"] for found in self.api.ok("GET", "/api/v1/identities")["identities"]]
        self.variables = {
            "CONFORMANCE_TOKEN": tester["token"],
            "CONFORMANCE_UNTOUCHABLE": ",".join(untouchable),
            "CONFORMANCE_ORGANIZATION": self.api.organization,
            "CONFORMANCE_PROJECT": self.api.project,
            "CONFORMANCE_IDENTITY": self.identity("bystander")["id"],
            "CONFORMANCE_CONNECTION": connection,
            "CONFORMANCE_ROTATION": rotations[0],
            "CONFORMANCE_OTHER_ROTATION": rotations[1],
            "CONFORMANCE_KEY": self.api.published(USERS[0])["accessKeyId"],
            "CONFORMANCE_AWS_KEY": self.aws.connection["accessKeyId"],
            "CONFORMANCE_AWS_SECRET": self.aws.connection["secretAccessKey"],
        }

    def rotation(self, connection, user):
        return self.api.ok("POST", support.ROTATIONS, self.api.rotation(connection, user))["secretRotation"]["id"]

    def identity(self, name):
        """An administrator of the organization, with a token."""
        wanted = {"name": name, "organizationId": self.api.organization, "role": "admin"}
        identity = self.api.ok("POST", "/api/v1/identities", wanted)["identity"]["id"]
        self.api.ok("POST", f"/api/v2/workspace/{self.api.project}/identity-memberships/{identity}", {"role": "admin"})
        base = f"/api/v1/auth/universal-auth/identities/{identity}"
        login = {
            "clientId": self.api.ok("POST", base, {})["identityUniversalAuth"]["clientId"],
            "clientSecret": self.api.ok("POST", base + "/client-secrets", {})["clientSecret"],
        }
        token = self.api.ok("POST", "/api/v1/auth/universal-auth/login", login)["accessToken"]
        return {"id": identity, "token": token}
