// The ledger of keys, and what can be done with one.

import { api } from "../api.js";
import { h } from "../dom.js";
import { keyBadge } from "../states.js";
import { ageText, dateText, exactly, when } from "../time.js";
import { choices, confirm, empty, field, notify, table } from "../ui.js";
import { addressOf } from "./api.js";
import { confirmRun } from "./actions.js";
import { lastUse, lastUseText } from "./last_use.js";
import { keyId } from "./steps.js";

const EARLIER = new Set(["displaced", "deactivated"]);
const ENDED = new Set(["deleted", "lost"]);

/** Both tables: keys that are there, and those that have ended. */
export function ledger(page) {
  const live = page.keys.filter((key) => !key.endedAt && !ENDED.has(key.state));
  const ended = page.keys.filter((key) => !live.includes(key));
  return [
    table("Keys", [
      ["Key", (key) => [keyId(key.accessKeyId), h("div", {}, keyBadge(key.state), key.held && [" ", h("span.badge.warn", {}, "! Held")])]],
      ["At AWS", (key) => key.status],
      ["Age", (key) => (key.createdAt ? h("span", { title: dateText(key.createdAt) }, ageText(key.createdAt)) : "–"), "short"],
      ["Last use", lastUse, "short"],
      ["Next", nextChange],
      ["Actions", (key) => buttons(page, key)],
    ], live, empty("No key is known yet. The first run lists them.")),
    ended.length > 0 && h("details", {}, h("summary", {}, `Ended keys (${ended.length})`),
      table("Ended keys", [["Key", ({ accessKeyId }) => keyId(accessKeyId)], ["State", ({ state }) => keyBadge(state)], ["Published", ({ publishedAt }) => exactly(publishedAt)], ["Ended", ({ endedAt }) => exactly(endedAt)]], ended)),
  ];
}

function nextChange({ nextChange, held, blocksRotation, state }) {
  const isBoth = nextChange?.change === "deactivate" && nextChange.withNextRotation;
  const word = isBoth ? "Deactivated and deleted" : { deactivate: "Deactivated", delete: "Deleted" }[nextChange?.change] ?? nextChange?.change;
  return [
    nextChange && h("div", {}, word, nextChange.withNextRotation ? " with the next rotation" : "", nextChange.at && [", ", when(nextChange.at)]),
    held && h("div", {}, `Held: ${held}`),
    blocksRotation && h("div", {}, h("span.badge.bad", {}, "✕ In the way"), " of the next rotation"),
    !nextChange && !held && !blocksRotation && h("span.faint", {}, state === "published" ? "Displaced by the next rotation" : "–"),
  ];
}

/** What makes sense for a key in its state. */
function buttons(page, key) {
  const id = key.accessKeyId;
  const button = (text, does, kind = "") => h(`button.small${kind}`, { type: "button", "aria-label": `${text} ${id}`, onclick: does }, text);
  const act = (part, body) => api.post(addressOf(page.rotation.id, "keys", id, part), body).then(() => page.reload());
  const retireIt = () => button("Retire now", () => retire(page, key), ".danger");
  if (EARLIER.has(key.state)) {
    const holding = key.held ? button("Release", () => release(act, key)) : button("Hold", () => hold(act, key));
    const rollBackButton = button("Roll back", () => rollBack(page, key));
    rollBackButton.disabled = !hasSecret(key);
    return h("div.actions", {}, rollBackButton, holding, retireIt(), !hasSecret(key) && h("p.faint.small", {}, NO_SECRET));
  }
  if (key.state === "orphan_suspect") return h("div.actions", {}, button("Resolve", () => resolve(act, key), ".primary"), retireIt());
  if (key.state === "unmanaged") return h("div.actions", {}, button("Hand over", () => handOver(act, key)));
  return null;
}

/** Of a key that was handed over only the id was given. */
const WITH_SECRET = new Set(["created", "imported"]);
/** Why a key cannot be published again. */
export const NO_SECRET = "No roll back: Keywheel does not have its secret.";

/** Whether Keywheel has the secret of a key, without which it cannot be published. */
export const hasSecret = ({ origin }) => WITH_SECRET.has(origin);

/** Publishes an earlier key again, after its dialog. */
export function rollBack(page, key) {
  const { accessKeyId: id, state } = key;
  const published = page.keys.find((key) => key.state === "published");
  return confirmRun(page, {
    title: "Roll back to an earlier key",
    content: [
      h("p", {}, keyId(id), state === "deactivated" ? " is activated again, checked" : " is checked", " like a new key, and published as the two secrets. ", lastUseText(key)),
      published && h("p", {}, keyId(published.accessKeyId), ", published now, becomes displaced. It keeps working for the time being. ", lastUseText(published)),
      h("p", {}, "The schedule stays: the next rotation comes ", page.rotation.nextRotationAt ? dateText(page.rotation.nextRotationAt) : "when somebody asks for it", "."),
    ],
    imagine: { action: "roll-back", accessKeyId: id },
    button: "Roll back",
    path: ["keys", id, "roll-back"],
    done: "Rolled back",
  });
}

/** Deactivates and deletes a key now, after its dialog. */
export function retire(page, key) {
  const { accessKeyId: id, status } = key;
  return confirmRun(page, {
    title: "Retire the key now",
    content: [
      h("p", {}, keyId(id), status === "Active" ? " is deactivated and deleted at AWS at once, without a wait. " : " is deleted at AWS at once. ", h("strong", {}, "This cannot be undone.")),
      h("p", {}, lastUseText(key), " What still uses it stops working."),
    ],
    imagine: { action: "retire", accessKeyId: id },
    button: "Retire it",
    danger: true,
    path: ["keys", id, "retire"],
    done: "Retired",
  });
}

const after = (done) => (result) => result && notify(done);

function hold(act, { accessKeyId: id }) {
  return confirm({
    title: "Hold the key",
    content: [
      h("p", {}, keyId(id), " stays as it is until somebody releases it. A rotation that needs its slot is refused and says why."),
      field("Reason", h("input", { name: "reason", maxlength: 256, placeholder: "Who needs it, and until when" })),
    ],
    button: "Hold it",
    act: ({ reason }) => act("hold", reason.trim() ? { reason: reason.trim() } : {}),
  }).then(after("Held"));
}

function release(act, { accessKeyId: id, held }) {
  return confirm({
    title: "Release the key",
    content: h("p", {}, keyId(id), ` is held: ${held}. Released, it is retired by the terms under which it was displaced.`),
    button: "Release it",
    act: () => act("release"),
  }).then(after("Released"));
}

function resolve(act, { accessKeyId: id }) {
  return confirm({
    title: "Whose key is it?",
    content: [
      h("p", {}, "AWS did not answer when Keywheel created a key, and then ", keyId(id), " was there. Look in CloudTrail which principal called ", h("code", {}, "CreateAccessKey"), "."),
      choices("owner", "The key is", [
        ["ours", "Keywheel's", "It is deactivated and deleted. Its secret is lost, so nothing can use it."],
        ["theirs", "Somebody else's", "It is never touched. It keeps its slot until its owner deletes it or you hand it over."],
      ]),
    ],
    button: "Resolve",
    act: ({ owner }) => act("resolve", { owner }),
  }).then(after("Resolved"));
}

function handOver(act, { accessKeyId: id }) {
  return confirm({
    title: "Hand the key over",
    content: h("p", {}, keyId(id), " was not made by Keywheel. Handed over, it is retired by the policy of this rotation: deactivated, then deleted. What uses it should read the two secrets by then."),
    button: "Hand over",
    danger: true,
    act: () => act("hand-over"),
  }).then(after("Handed over"));
}
