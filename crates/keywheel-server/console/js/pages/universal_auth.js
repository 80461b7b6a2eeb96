// How a machine identity signs in: a client id, and client secrets that are shown once.

import { api } from "../api.js";
import { h } from "../dom.js";
import { action, ask, onceDone, region, removal, shownOnce, text } from "../parts.js";
import { lengthText, when } from "../time.js";
import { badge, confirm, copyable, empty, facts, field, select, table } from "../ui.js";

const LIVES = [["0", "until it is revoked"], ["86400", "a day"], ["2592000", "30 days"], ["7776000", "90 days"]];

/** The part of the page of an identity; `again` shows that page anew. @returns {Element} */
export function universalAuth(identity, again) {
  const path = `/api/v1/auth/universal-auth/identities/${identity.id}`;
  const place = region(async () => {
    const found = await api.get(path).catch((fault) => {
      // Both say that it is not set up.
      if (fault.status === 404 || fault.status === 400) return null;
      throw fault;
    });
    if (!found) {
      return empty("Not set up: programs cannot sign in as this identity yet.",
        action("Set up Universal Auth", () => api.post(path).then(again), "primary"));
    }
    return setUp(path, found.identityUniversalAuth, identity, place.reload, again);
  });
  return place.place;
}

function setUp(path, auth, identity, reload, again) {
  const shown = h("div", {});
  const secrets = region(async () => {
    const { clientSecretData } = await api.get(`${path}/client-secrets`);
    return table("Client secrets", [
      ["Begins with", ({ clientSecretPrefix, description }) => [h("code", {}, `${clientSecretPrefix}…`), description && h("div.faint", {}, description)]],
      ["State", stateOf],
      ["Uses", ({ clientSecretNumUses, clientSecretNumUsesLimit: limit }) => `${clientSecretNumUses}${limit ? ` of ${limit}` : ""}`],
      ["Last used", ({ clientSecretLastUsedAt }) => when(clientSecretLastUsedAt, "never")],
      ["Made", ({ createdAt }) => when(createdAt)],
      ["Actions", (one) => !one.isClientSecretRevoked && action("Revoke", onceDone(() => revoke(path, one), secrets.reload), "quiet.small", one.clientSecretPrefix)],
    ], clientSecretData, empty("No client secret yet: make one and give it to the program."));
  });
  const make = async () => {
    const made = await newSecret(path);
    if (!made) return;
    shown.replaceChildren(shownOnce("New client secret", made.clientSecret, `Give it to the program together with the client id ${auth.clientId}. It is not shown again.`));
    await secrets.reload();
  };
  return [
    h("h3", {}, "Client id"),
    copyable(auth.clientId),
    facts([
      ["Tokens live", `${lengthText(auth.accessTokenTTL * 1_000)}, at most ${lengthText(auth.accessTokenMaxTTL * 1_000)}`],
      ["From addresses", auth.clientSecretTrustedIps.map(({ ipAddress, prefix }) => (prefix === null || prefix === undefined ? ipAddress : `${ipAddress}/${prefix}`)).join(", ")],
      ["Locked after", auth.lockoutEnabled ? `${auth.lockoutThreshold} wrong secrets, for ${lengthText(auth.lockoutDurationSeconds * 1_000)}` : "never"],
    ]),
    identity.activeLockoutAuthMethods.length > 0 && h("p", {}, badge("warn", "Locked out"), " ",
      action("Let it try again", () => api.post(`${path}/clear-lockouts`).then(reload))),
    h("h3", {}, "Client secrets"),
    shown,
    secrets.place,
    h("div.actions", {},
      action("New client secret", make, "primary"),
      action("Take Universal Auth away", onceDone(() => takeAway(path), again), "danger")),
  ];
}

function stateOf({ isClientSecretRevoked, clientSecretTTL, createdAt }) {
  if (isClientSecretRevoked) return badge("idle", "revoked");
  if (!clientSecretTTL) return badge("ok", "valid");
  const end = new Date(Date.parse(createdAt) + clientSecretTTL * 1_000);
  return end < new Date() ? badge("idle", "ended") : [badge("ok", "valid"), " ends ", when(end.toISOString())];
}

function newSecret(path) {
  return ask({
    title: "New client secret",
    content: [
      text("description", "Description", { placeholder: "Pipeline of billing", hint: "Which program has it." }),
      field("Valid", select("ttl", LIVES, "0")),
      text("numUsesLimit", "Uses at most", { type: "number", min: "0", value: "0", hint: "0: any number." }),
    ],
    button: "Make it",
    act: ({ description, ttl, numUsesLimit }) => api.post(`${path}/client-secrets`, { description, ttl: Number(ttl), numUsesLimit: Number(numUsesLimit) }),
  });
}

function revoke(path, { id, clientSecretPrefix }) {
  return confirm({
    title: `Revoke ${clientSecretPrefix}…?`,
    content: h("p", {}, "Programs that have it cannot sign in any more, and their tokens are refused at once."),
    button: "Revoke", danger: true,
    act: () => api.post(`${path}/client-secrets/${id}/revoke`),
  });
}

function takeAway(path) {
  return removal({
    title: "Take Universal Auth away?",
    text: "The client id, all client secrets and all tokens of this identity end at once.",
    path,
    button: "Take away",
    done: "Universal Auth is taken away",
  });
}
