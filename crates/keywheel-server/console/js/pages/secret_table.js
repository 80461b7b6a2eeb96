// The table of secrets. A value is asked for when it is to be seen, since each look is in the audit log.

import { api } from "../api.js";
import { h, fill } from "../dom.js";
import { action, onceDone } from "../parts.js";
import { when } from "../time.js";
import { badge, notify, table } from "../ui.js";
import { editSecret, removeSecret } from "./secret_dialogs.js";
import { showVersions } from "./secret_versions.js";

/** Rows that are drawn at once; more would make the page slow, and nobody reads them. */
const ROWS_AT_MOST = 300;
/** After this a shown value is hidden again: screens are left alone. */
const SHOWN_FOR = 60_000;

/** The value of a secret as it is written, references not followed. Audited. */
export async function readValue(place, name, version) {
  const query = { ...place, version, viewSecretValue: true, expandSecretReferences: false, includeImports: false };
  return (await api.get(`/api/v4/secrets/${encodeURIComponent(name)}`, query)).secret;
}

/** The secrets of a folder, with a filter by name if they are many. */
export function secretTable(place, secrets, reload) {
  const rows = h("div", { "aria-live": "off" });
  const count = h("p.faint", { "aria-live": "polite" });
  const show = (wanted) => {
    const found = secrets.filter(({ secretKey }) => secretKey.toLowerCase().includes(wanted.toLowerCase()));
    fill(rows, drawn(place, found.slice(0, ROWS_AT_MOST), reload));
    fill(count, found.length > ROWS_AT_MOST ? `The first ${ROWS_AT_MOST} of ${found.length}: filter by name to see others.` : `${found.length} ${found.length === 1 ? "secret" : "secrets"}`);
  };
  show("");
  const filter = h("input", { type: "search", "aria-label": "Filter by name", placeholder: "Filter by name", oninput: (event) => show(event.target.value) });
  return [secrets.length > 10 && h("div.field", {}, filter), rows, count];
}

function drawn(place, secrets, reload) {
  return table("Secrets", [
    ["Name", (secret) => [h("code", {}, secret.secretKey), " ", secret.isRotatedSecret && rotated(secret), secret.secretComment && h("div.faint", {}, secret.secretComment)]],
    ["Value", (secret) => hiddenValue(place, secret.secretKey)],
    ["Version", (secret) => action(`${secret.version}`, () => showVersions(place, secret), "quiet.small", `of ${secret.secretKey}, show all versions`)],
    ["Changed", (secret) => when(secret.updatedAt)],
    ["Actions", (secret) => actions(place, secret, reload), "actions"],
  ], secrets, h("p", {}, "No secret has this in its name."));
}

function rotated({ rotationId }) {
  return h("a", { href: `/rotations/${rotationId}` }, badge("ok", "rotated"));
}

function actions(place, secret, reload) {
  const { secretKey } = secret;
  if (secret.isRotatedSecret) return h("span.faint", {}, "Its ", h("a", { href: `/rotations/${secret.rotationId}` }, "rotation"), " writes it.");
  return [
    action("Edit", onceDone(() => editSecret(place, secret), reload), "quiet.small", secretKey),
    action("Delete", onceDone(() => removeSecret(place, secret), reload), "quiet.small", secretKey),
  ];
}

/** A value that is read at a click: shown for a minute, or copied without being shown. */
export function hiddenValue(place, name, version) {
  const about = version ? `${name}, version ${version}` : name;
  const value = h("span.value", { "aria-live": "polite" }, "••••••••");
  let timer = 0;
  const hide = () => {
    clearTimeout(timer);
    fill(value, "••••••••");
    reveal.firstChild.data = "Show";
    reveal.setAttribute("aria-expanded", "false");
  };
  const toggle = async () => {
    if (reveal.getAttribute("aria-expanded") === "true") return hide();
    const { secretValue, secretValueHidden } = await readValue(place, name, version);
    fill(value, secretValueHidden ? h("span.faint", {}, "Your role may not see values.") : secretValue === "" ? h("span.faint", {}, "(empty)") : h("code", {}, secretValue));
    reveal.firstChild.data = "Hide";
    reveal.setAttribute("aria-expanded", "true");
    timer = setTimeout(hide, SHOWN_FOR);
    return undefined;
  };
  const copy = async () => {
    const { secretValue, secretValueHidden } = await readValue(place, name, version);
    if (secretValueHidden) return notify("Your role may not see values.", "bad");
    if (!navigator.clipboard) throw new Error("The browser does not let a page without https copy. Show the value, and copy it by hand.");
    await navigator.clipboard.writeText(secretValue);
    return notify(`The value of ${about} is copied`);
  };
  const reveal = action("Show", toggle, "quiet.small", `the value of ${about}`);
  reveal.setAttribute("aria-expanded", "false");
  return h("span.hidden-value", {}, value, " ", reveal, action("Copy", copy, "quiet.small", `the value of ${about}`));
}
