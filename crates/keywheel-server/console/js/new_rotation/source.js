// The first steps: which connection, which IAM user, and what becomes of the keys that the user has.

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { failure } from "../rotation/steps.js";
import { ageText, when } from "../time.js";
import { callout, choices, empty, field, select, table } from "../ui.js";
import { nameFor } from "./draft.js";

/** Users that are offered at once; typing narrows the list. */
const USERS_SHOWN = 100;
/** How long typing rests before AWS is asked. */
const TYPING_REST = 400;

/** Connections that the caller may use: all, or those of the caller's projects. */
async function connectionsFor(projects) {
  try {
    return (await api.get("/api/v1/app-connections/aws")).appConnections;
  } catch (fault) {
    if (fault.status !== 403) throw fault;
    const lists = await Promise.all(projects.map(({ id }) => api.get("/api/v1/app-connections/aws/available", { projectId: id }).catch(() => ({ appConnections: [] }))));
    return [...new Map(lists.flatMap(({ appConnections }) => appConnections).map((one) => [one.id, one])).values()];
  }
}

export const connection = {
  title: "Connection",
  async content(draft, { projects }) {
    const connections = await connectionsFor(projects);
    if (connections.length === 0) {
      return { isBlocked: true, nodes: empty("A rotation needs a connection: what Keywheel may do in your AWS account.", h("a.button.primary", { href: "/connections/new" }, "Connect an AWS account")) };
    }
    const chosen = draft.connectionId || (connections.length === 1 ? connections[0].id : "");
    return { nodes: [
      choices("connectionId", "Which account is the IAM user in?", connections.map(({ id, name, description }) => [id, name, description]), chosen),
      h("p", {}, h("a", { href: "/connections/new" }, "Connect another account")),
    ] };
  },
  take(values, draft) {
    if (values.connectionId !== draft.connectionId) Object.assign(draft, { userName: "", keys: [], takenBy: null });
    draft.connectionId = values.connectionId ?? "";
  },
};

/** Whether a rotation has the user already, also one that the caller may not see and that has no id here. */
const isTaken = ({ rotationId, hasRotation }) => Boolean(rotationId || hasRotation);

const keysOf = ({ connectionId }, userName) => api.get(`/api/v1/app-connections/aws/${connectionId}/users/${encodeURIComponent(userName)}/keys`);

export const user = {
  title: "IAM user",
  async content(draft) {
    const place = h("div", { "aria-live": "polite" });
    const look = looker(draft, place);
    const users = await api.get(`/api/v1/app-connections/aws/${draft.connectionId}/users`).then(({ iamUsers }) => iamUsers.map(({ UserName }) => UserName), () => null);
    if (draft.userName) look(draft.userName);
    return { nodes: [
      users ? picker(users, draft.userName, look) : typed(draft.userName, look),
      place,
      h("details", { open: draft.region !== "us-east-1" }, h("summary", {}, "Region"),
        field("Region", h("input", { name: "region", value: draft.region, required: true }), "Where a new key is checked first. IAM itself is the same in all regions.")),
    ] };
  },
  take(values, draft) {
    const userName = (values.userName ?? "").trim();
    if (userName !== draft.userName) Object.assign(draft, { userName, keys: [], takenBy: null, adopt: "", adoptedKey: "", secretAccessKey: "", name: nameFor(userName) });
    draft.region = values.region.trim();
  },
  async check(draft) {
    if (!draft.userName) throw new Error("Choose a user.");
    const found = await keysOf(draft, draft.userName).catch(() => {
      throw new Error(`Without the keys of ${draft.userName} it cannot go on: see above.`);
    });
    draft.keys = found.accessKeys;
    if (isTaken(found)) throw new Error(`Another rotation looks after ${draft.userName} already. Choose another user, or change that rotation.`);
  },
};

function picker(users, chosen, look) {
  const list = h("div.pick", { role: "radiogroup", "aria-label": "IAM users" });
  const count = h("p.hint", { role: "status" });
  let picked = chosen;
  const show = (text) => {
    const found = users.filter((name) => name.toLowerCase().includes(text.toLowerCase()));
    // The picked one stays in the form even if the search does not show it.
    const shown = found.slice(0, USERS_SHOWN);
    if (picked && !shown.includes(picked)) shown.unshift(picked);
    fill(list, shown.map((name) => h("label.choice", {}, h("input", { type: "radio", name: "userName", value: name, checked: name === picked, required: true }), h("span", {}, name))),
      shown.length === 0 && h("p.faint", {}, "No user is called like that."));
    count.textContent = found.length > USERS_SHOWN ? `The first ${USERS_SHOWN} of ${found.length}; type to narrow` : found.length === 1 ? "1 user" : `${found.length} users`;
  };
  list.addEventListener("change", ({ target }) => {
    picked = target.value;
    look(picked);
  });
  show("");
  return [
    field("Search", h("input", { type: "search", autocomplete: "off", oninput: ({ target }) => show(target.value.trim()) })),
    count, list,
  ];
}

function typed(chosen, look) {
  let resting = 0;
  const input = h("input", { name: "userName", value: chosen, required: true, maxlength: 128, autocomplete: "off", spellcheck: "false", oninput() {
    clearTimeout(resting);
    resting = setTimeout(() => look(input.value.trim()), TYPING_REST);
  } });
  return field("Name of the user", input, "The connection may not list the users of the account. Type the name.");
}

/** Shows the keys of a user as soon as AWS has told them; an answer that comes too late is dropped. */
function looker(draft, place) {
  let asked = "";
  return async (userName) => {
    asked = userName;
    if (!userName) return fill(place);
    fill(place, h("p.faint", {}, h("span.spin", { "aria-hidden": "true" }, "◌"), ` Looking at the keys of ${userName} …`));
    try {
      const found = await keysOf(draft, userName);
      if (asked === userName) fill(place, presentKeys(userName, found));
    } catch (fault) {
      if (asked === userName) fill(place, callout("bad", `The keys of ${userName} cannot be seen`, failure(null, fault.message),
        h("p", {}, h("a", { href: `/connections/${draft.connectionId}` }, "See what AWS has to allow, at the connection"))));
    }
    return undefined;
  };
}

function presentKeys(userName, found) {
  const other = found.rotationId
    ? h("a", { href: `/rotations/${found.rotationId}` }, "See that rotation")
    : "It is in a project that you may not see: ask an administrator of your organization where.";
  return h("div.stack", {},
    isTaken(found) && callout("warn", "Another rotation looks after this user", h("p", {}, "A user belongs to one rotation. ", other)),
    h("h3", {}, `Keys of ${userName}`),
    keyTable(found.accessKeys));
}

const keyTable = (keys) => table("Keys that the user has", [
  ["Key", ({ accessKeyId }) => h("code", {}, accessKeyId)],
  ["At AWS", ({ status }) => status],
  ["Age", ({ createdAt }) => ageText(createdAt)],
  ["Last use", ({ lastUsed }) => (lastUsed?.at ? [when(lastUsed.at), h("span.faint", {}, ` ${lastUsed.service}, ${lastUsed.region}`)] : h("span.faint", {}, "never"))],
], keys, h("p", {}, "No keys yet. The first is made with the rotation."));

export const adoption = {
  title: "Present keys",
  isWanted: (draft) => draft.keys.length > 0,
  content(draft) {
    const { keys } = draft;
    const isFull = keys.length > 1;
    const which = h("div", {}, isFull && field("Which key", select("adoptedKey", keys.map(({ accessKeyId, status }) => [accessKeyId, `${accessKeyId} (${status})`]), draft.adoptedKey)));
    const secret = field("Its secret access key", h("input", { name: "secretAccessKey", type: "password", autocomplete: "off", value: draft.secretAccessKey, maxlength: 128 }), "It is checked with AWS and kept encrypted.");
    const show = (mode) => {
      which.hidden = mode === "leave" || mode === "";
      secret.hidden = mode !== "import";
      secret.querySelector("input").required = mode === "import";
    };
    show(draft.adopt);
    return { nodes: [
      h("p", {}, isFull ? "AWS allows a user two keys, and this one has both. One of them has to be imported or to go." : "AWS allows a user two keys. Say what becomes of the one that is there; what you do not name is never changed."),
      keyTable(keys),
      h("hr"),
      choices("adopt", "What shall happen?", optionsFor(isFull), draft.adopt, show),
      which, secret,
    ] };
  },
  take(values, draft) {
    draft.adopt = values.adopt ?? "";
    draft.adoptedKey = values.adoptedKey ?? draft.keys[0]?.accessKeyId ?? "";
    draft.secretAccessKey = values.adopt === "import" ? values.secretAccessKey.trim() : "";
  },
};

function optionsFor(isFull) {
  if (isFull) {
    return [
      ["import", "Import one", "You know its secret. It is published as it is, and AWS is not changed. The other is left alone, and blocks the next rotation until it is gone or handed over."],
      ["hand-over", "Retire one at once", "It is deactivated and deleted now, then a new key is made. What uses it stops working."],
    ];
  }
  return [
    ["leave", "Make a second key, and leave this one alone", "It blocks the next rotation until it is gone or handed over."],
    ["hand-over", "Make a second key, and hand this one over", "The new key is published; this one is retired by the policy."],
    ["import", "Import it", "You know its secret. It is published as it is, and AWS is not changed."],
  ];
}
