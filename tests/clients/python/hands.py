"""Does with the Python SDK what the story asks for: one command per line in, one answer per line out.

    python hands.py URL
"""

import json
import sys

from infisical_sdk import InfisicalSDKClient

# What is read is kept for a minute by default; a story waits for nobody.
SDK = InfisicalSDKClient(host=sys.argv[1], cache_ttl=None)


# The words of the protocol that this client has another word for.
WORDS = {
    "projectId": "project_id",
    "environment": "environment_slug",
    "secretPath": "secret_path",
    "secretName": "secret_name",
    "secretValue": "secret_value",
    "secretComment": "secret_comment",
    "newSecretName": "new_secret_name",
    "includeImports": "include_imports",
    "expandSecretReferences": "expand_secret_references",
    "folderId": "folder_id",
    "folderName": "folder_id_or_name",
}


def words(options):
    return {WORDS.get(name, name): value for name, value in options.items()}


def login(clientId, clientSecret):  # noqa: N803  (names of the protocol)
    SDK.auth.universal_auth.login(client_id=clientId, client_secret=clientSecret)
    return {}


def update(options):
    options = words(options)
    return SDK.secrets.update_secret_by_name(current_secret_name=options.pop("secret_name"), **options)


COMMANDS = {
    "login": lambda options: login(**options),
    "list": lambda options: SDK.secrets.list_secrets(**words(options)),
    "get": lambda options: SDK.secrets.get_secret_by_name(**words(options)),
    "create": lambda options: SDK.secrets.create_secret_by_name(**words(options)),
    "update": update,
    "delete": lambda options: SDK.secrets.delete_secret_by_name(**words(options)),
    "createFolder": lambda options: SDK.folders.create_folder(**words(options)),
    "updateFolder": lambda options: SDK.folders.update_folder(**words(options)),
    "getFolder": lambda options: SDK.folders.get_folder_by_id(**options),
    "listFolders": lambda options: SDK.folders.list_folders(**words(options)).folders,
    "deleteFolder": lambda options: SDK.folders.delete_folder(**words(options)),
}

for line in sys.stdin:
    command = json.loads(line)
    try:
        answer = {"done": COMMANDS[command.pop("do")](command)}
    except Exception as error:  # whatever the SDK raises is what its user sees
        answer = {"refused": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=vars), flush=True)
