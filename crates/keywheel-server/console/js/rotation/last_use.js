// Who used keys last. The ledger knows what runs asked; the page asks AWS again when it is opened.

import { api } from "../api.js";
import { h } from "../dom.js";
import { when } from "../time.js";

/**
 * Asks AWS once, and writes its answers into the keys.
 * @returns {Promise<string | null>} why it could not be asked
 */
export async function askLastUse({ rotation, keys }) {
  const { connectionId, parameters } = rotation;
  try {
    const { accessKeys } = await api.get(`/api/v1/app-connections/aws/${encodeURIComponent(connectionId)}/users/${encodeURIComponent(parameters.userName)}/keys`);
    for (const { accessKeyId, status, lastUsed } of accessKeys) {
      const key = keys.find((key) => key.accessKeyId === accessKeyId);
      if (key) Object.assign(key, { status, lastUsed: lastUsed && { ...lastUsed, byKeywheel: isOwnUse(key, lastUsed) }, isAskedNow: true });
    }
    return null;
  } catch (fault) {
    return fault.message;
  }
}

/** How far a use that AWS tells may be from a check of Keywheel's to be that check; AWS rounds. */
const NEAR = 60_000;

/** AWS tells of Keywheel's checks of a key too: they ask STS who it is. */
function isOwnUse({ firstSeenAt, verifiedAt, lastUsed: known }, { at, service }) {
  if (known?.at === at) return known.byKeywheel;
  const used = Date.parse(at);
  return service === "sts" && verifiedAt !== null && used >= Date.parse(firstSeenAt) - NEAR && used <= Date.parse(verifiedAt) + NEAR;
}

/** The cell of a table. */
export function lastUse({ lastUsed, lastUsedCheckedAt, stillUsedSince, isAskedNow }) {
  const asked = h("div.faint.small", {}, isAskedNow ? "asked just now" : lastUsedCheckedAt && ["asked ", when(lastUsedCheckedAt)]);
  if (!lastUsed) return isAskedNow || lastUsedCheckedAt ? ["never", asked] : h("span.faint", {}, "not asked yet");
  return [
    h("div", {}, when(lastUsed.at)),
    h("div.faint", {}, `${lastUsed.service}, ${lastUsed.region}${lastUsed.byKeywheel ? ", by Keywheel's check" : ""}`),
    stillUsedSince && h("div", {}, h("span.badge.warn", {}, "! Still used")),
    asked,
  ];
}

/** The same as a sentence, for dialogs. */
export function lastUseText({ lastUsed, lastUsedCheckedAt, isAskedNow }) {
  if (lastUsed && !lastUsed.byKeywheel) return ["It was used last ", when(lastUsed.at), ` (${lastUsed.service}, ${lastUsed.region}).`];
  if (lastUsed) return ["Its last use, ", when(lastUsed.at), ", was a check of Keywheel's. AWS tells of use up to four hours late."];
  return isAskedNow || lastUsedCheckedAt ? "No use of it is known. AWS tells of use up to four hours late." : "AWS has not been asked yet when it was used last.";
}
