// What the pages of connections share: methods, accounts, and the policies to paste into AWS.

import { api } from "../api.js";
import { h } from "../dom.js";
import { region, secret, text } from "../parts.js";
import { badge, copyable } from "../ui.js";

/** The ways in which a connection proves who it is: how they are called, what they mean, and what they ask for. */
export const METHODS = {
  "access-key": {
    title: "Access key",
    note: "Keywheel signs in as an IAM user, with a long-lived key of that user.",
    fields: () => [
      text("credentials.accessKeyId", "Access key id", { placeholder: "AKIA…", required: true }),
      secret("credentials.secretAccessKey", "Secret access key", { required: true, hint: "Sealed at once; nobody can read it again." }),
    ],
  },
  "assume-role": {
    title: "Assume role",
    note: "Keywheel assumes a role of the account and holds only keys that end by themselves. Better, if you can.",
    fields: () => [
      text("credentials.roleArn", "ARN of the role", { placeholder: "arn:aws:iam::123456789012:role/keywheel", required: true }),
      text("credentials.stsEndpoint", "STS endpoint", { hint: "Its address, if it is not that of AWS itself." }),
    ],
  },
};

/** The credentials of a form as the API wants them: what is empty is absent. */
export function credentialsOf(values) {
  return Object.fromEntries(Object.entries(values.credentials).filter(([, value]) => value));
}

/** The account in the ARN of the role; an access key does not tell. */
export function accountOf(connection) {
  return connection.credentials.roleArn?.split(":")[4] || null;
}

/** Where the policies are. */
export const POLICIES = "/api/v1/app-connections/aws/policies";

/**
 * The policies to paste, loaded again by `reload`. `query` answers `connectionId` or `projectId`, and `userArn`.
 * @returns {{place: HTMLElement, reload: () => Promise<void>}}
 */
export function policies(query, method) {
  return region(async () => {
    const { policies: { permissions, trust, externalId } } = await api.get(POLICIES, query());
    const isRole = method() === "assume-role";
    return [
      h("h3", {}, "Permissions"),
      h("p", {}, `Attach it to the ${isRole ? "role" : "IAM user whose key you give"}.`,
        permissions.includes("user/*") && " It covers every IAM user: narrow user/* to those that Keywheel shall rotate.",
        permissions.includes("iam:ListUsers") && " iam:ListUsers only lets you pick users from a list: without it you type their names."),
      // The API leaves a gap where it cannot know.
      /<[^>]+>/.test(permissions + (isRole ? trust : "")) && h("p", {}, "Put in what is between < and >."),
      copyable(permissions, "Copy the permissions policy"),
      isRole && trust && [
        h("h3", {}, "Trust"),
        h("p", {}, "Lets Keywheel, and nobody else, assume the role. It demands this external id, which keeps others from leading Keywheel to your role: ", h("code", {}, externalId)),
        copyable(trust, "Copy the trust policy"),
      ],
      isRole && !trust && h("p", {}, badge("warn", "No trust policy"), " This server does not know its own AWS identity, so no role can trust it yet. Set the credentials it assumes roles with, or use an access key."),
    ];
  });
}
