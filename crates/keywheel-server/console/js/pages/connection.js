// One connection: what it is, whether it works, and what AWS has to allow.

import { api } from "../api.js";
import { h, fill } from "../dom.js";
import { action, ask, counted, onceDone, removal, text } from "../parts.js";
import { SEARCH } from "../rotation/api.js";
import { go } from "../router.js";
import { when } from "../time.js";
import { badge, card, confirm, facts, form, heading, notify, told } from "../ui.js";
import { accountOf, credentialsOf, METHODS, policies, POLICIES } from "./connection_parts.js";

/** The page of one connection. */
export async function render({ params }) {
  const path = `/api/v1/app-connections/aws/${encodeURIComponent(params.id)}`;
  const [{ appConnection }, uses] = await Promise.all([
    api.get(path),
    api.get(SEARCH, { connectionId: params.id, pageSize: 1 }).then((found) => found.totalCount, () => null),
  ]);
  const again = () => go(location.pathname, { replace: true });
  return [
    heading(appConnection.name,
      action("Edit", onceDone(() => edit(appConnection, path), again)),
      action("Replace credentials", onceDone(() => replace(appConnection, path), again)),
      action("Delete", () => remove(appConnection, path, uses), "danger")),
    appConnection.description && h("p", {}, appConnection.description),
    about(appConnection, uses),
    test(path),
    policySection(appConnection),
  ];
}

function about(connection, uses) {
  const { method, credentials, project } = connection;
  const rotations = uses === 0 ? "none that you can see" : h("a", { href: `/rotations?connectionId=${connection.id}` }, uses === null ? "Show" : `${counted(uses, "rotation")} that you can see`);
  return h("section.card", { "aria-label": "About" }, facts([
    ["Method", METHODS[method]?.title ?? method],
    ["AWS account", accountOf(connection)],
    ["Access key id", credentials.accessKeyId && h("code", {}, credentials.accessKeyId)],
    ["Role", credentials.roleArn && h("code", {}, credentials.roleArn)],
    ["STS endpoint", credentials.stsEndpoint && h("code", {}, credentials.stsEndpoint)],
    ["For", project?.name ?? "the whole organization"],
    ["Used by", rotations],
    ["Made", when(connection.createdAt)],
    ["Changed", when(connection.updatedAt)],
    ["Id", h("code", {}, connection.id)],
  ]));
}

function test(path) {
  const result = h("div", { "aria-live": "polite" });
  const run = async () => {
    fill(result, h("p", {}, badge("busy", "Asking AWS …")));
    try {
      fill(result, verdict((await api.post(`${path}/test`)).test));
    } catch (refusal) {
      fill(result, h("p", {}, badge("bad", "Not tested"), " ", told(refusal)));
    }
  };
  return card("Test",
    h("p", {}, "Asks AWS who Keywheel is there. Changes nothing."),
    h("p", {}, action("Test the connection", run)),
    result);
}

function verdict({ status, arn, account, message, canListUsers }) {
  // The message says what to do: AWS may have refused, or not have answered at all.
  if (status !== "ok") return h("p", {}, badge("bad", "It does not work"), " ", message);
  return [
    h("p", {}, badge("ok", "It works"), " ", message),
    facts([["Account", h("code", {}, account)], ["Signed in as", h("code", {}, arn)],
      ["Lists users", canListUsers ? "yes: new rotations offer the users of the account" : "no: type the user of a new rotation by hand, or allow iam:ListUsers"]]),
  ];
}

function policySection(connection) {
  const user = text("userArn", "Only for the IAM user with this ARN", { placeholder: "arn:aws:iam::123456789012:user/app" });
  const query = () => ({ connectionId: connection.id, userArn: user.querySelector("input").value.trim() });
  const shown = policies(query, () => connection.method);
  // Asked for first, so that a refused ARN is shown at its field and the policy stays.
  const narrow = async () => {
    await api.get(POLICIES, query());
    await shown.reload();
  };
  return card("What AWS has to allow",
    h("div.stack", {},
      form({ content: user, button: "Narrow the policy", waiting: "Looking …", act: narrow }),
      shown.place));
}

function edit(connection, path) {
  return ask({
    title: `Edit ${connection.name}`,
    content: [
      text("name", "Name", { value: connection.name, required: true, hint: "Lowercase letters, digits and hyphens." }),
      text("description", "Description", { value: connection.description ?? "", maxlength: 256 }),
    ],
    button: "Save",
    act: ({ name, description }) => api.patch(path, { name, description: description || null }),
  });
}

function replace(connection, path) {
  const method = METHODS[connection.method];
  return ask({
    title: `Replace the credentials of ${connection.name}`,
    content: [h("p", {}, "AWS is asked first; if it refuses the new ones, the present ones stay. Rotations go on with the new ones."), method.fields()],
    button: "Replace",
    act: async (values) => {
      await api.patch(path, { credentials: credentialsOf(values) });
      notify("The credentials are replaced");
    },
  });
}

async function remove(connection, path, uses) {
  if (uses > 0) {
    await confirm({
      title: `${connection.name} cannot be deleted yet`,
      content: [
        h("p", {}, `${counted(uses, "rotation that you can see works", "rotations that you can see work")} through it: `, h("a", { href: `/rotations?connectionId=${connection.id}` }, "delete them"), " first."),
        h("p", {}, "There may be more in projects that you are not in. Administrators of the organization can enter those under ", h("a", { href: "/access?section=projects" }, "Access, Projects"), "."),
      ],
      button: "Close",
    });
    return;
  }
  const done = await removal({
    title: `Delete ${connection.name}?`,
    text: `Keywheel forgets the credentials. Nothing changes in AWS: deactivate the key or the role there afterwards.`,
    path,
    done: `${connection.name} is deleted`,
  });
  if (done) go("/connections");
}
