// The versions of a secret.

import { api } from "../api.js";
import { h } from "../dom.js";
import { when } from "../time.js";
import { badge, confirm, table } from "../ui.js";
import { hiddenValue } from "./secret_table.js";

/** How many are shown, latest first; the API gives the others by `offset`. */
const VERSIONS_SHOWN = 50;

/** A dialog with the versions; each value is read at a click. */
export async function showVersions(place, { id, secretKey }) {
  const { secretVersions } = await api.get(`/api/v1/secret/${id}/secret-versions`, { limit: VERSIONS_SHOWN, offset: 0, viewSecretValue: false });
  await confirm({
    title: `Versions of ${secretKey}`,
    content: table(`Versions of ${secretKey}`, [
      ["Version", ({ version, isRotatedSecret }) => [version, " ", isRotatedSecret && badge("ok", "rotated")]],
      ["Value", ({ version, isErased, secretKey: name }) => (isErased ? h("span.faint", {}, "erased: its key is gone") : versionValue(place, secretKey, name, version))],
      ["Made", ({ createdAt }) => when(createdAt)],
    ], secretVersions),
    button: "Close",
  });
}

function versionValue(place, secretKey, nameThen, version) {
  return [hiddenValue(place, secretKey, version), nameThen !== secretKey && h("div.faint", {}, "then called ", h("code", {}, nameThen))];
}
