"""A company that uses Keywheel for a while: something to see on every page, and the same each time."""

import dataclasses

from support import ROTATIONS

SERVICES = ("billing", "checkout", "invoices", "mail", "reports", "search")


@dataclasses.dataclass
class House:
    """Addresses of pages, by their names."""

    doors: dict
    pages: dict


def furnish(stage):
    api = stage.set_up("Acme", "Web shop")
    made = {service: stage.rotation(service, name=service, description=f"What {service} signs in with") for service in SERVICES}
    api.rotate(made["billing"])
    api.ok("PATCH", f"{ROTATIONS}/{made['mail']}", {"isAutoRotationEnabled": False})
    stage.aws.control("POST", "/faults", {"kind": "accessDenied", "action": "CreateAccessKey", "userName": "reports"})
    api.call("POST", f"{ROTATIONS}/{made['reports']}/rotate-secrets")
    place = {"projectId": api.project, "environment": "dev", "secretPath": "/"}
    for name, value in (("DATABASE_URL", "postgres://db.example/shop"), ("FEATURE_FLAGS", "checkout-v2")):
        api.ok("POST", f"/api/v4/secrets/{name}", place | {"secretValue": value})
    api.ok("POST", "/api/v2/folders", {"projectId": api.project, "environment": "dev", "path": "/", "name": "workers"})
    api.ok("POST", "/api/v1/webhooks", {
        "projectId": api.project, "environment": "dev", "secretPath": "/**", "webhookUrl": "https://hooks.example/keywheel"})
    with api.as_administrator():
        (connection,) = api.ok("GET", "/api/v1/app-connections/aws")["appConnections"]
    pages = {
        "overview": "/",
        "rotations": "/rotations",
        "rotation": f"/rotations/{made['billing']}",
        "rotation-failed": f"/rotations/{made['reports']}",
        "new-rotation": "/rotations/new",
        "connections": "/connections",
        "connection": f"/connections/{connection['id']}",
        "new-connection": "/connections/new",
        "secrets": f"/secrets?projectId={api.project}&environment=dev",
        "access": "/access",
        "access-identities": "/access?section=identities",
        "access-projects": "/access?section=projects",
        "identity": f"/access/identities/{api.deployer['id']}",
        "audit": "/audit",
        "settings": "/settings",
        "settings-sessions": "/settings?section=sessions",
        "settings-notifications": "/settings?section=notifications",
        "settings-retirement": "/settings?section=retirement",
        "settings-about": "/settings?section=about",
        "help": "/help",
    }
    return House({"sign-in": "/", "join": "/join#an-invitation"}, pages)
