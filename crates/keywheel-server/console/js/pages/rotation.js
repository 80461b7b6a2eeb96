// One rotation: the key wheel, the ledger, the runs, the settings, and everything that can be done.

import { fill, h } from "../dom.js";
import { checkKey, move, pauseOrResume, preview, remove, rotateNow } from "../rotation/actions.js";
import { loadRotation } from "../rotation/api.js";
import { credentials } from "../rotation/credentials.js";
import { hasSecret, ledger, NO_SECRET, retire, rollBack } from "../rotation/keys.js";
import { askLastUse } from "../rotation/last_use.js";
import { runHistory } from "../rotation/runs.js";
import { edit, editPolicy, scheduleText, settings } from "../rotation/settings.js";
import { failure, keyId } from "../rotation/steps.js";
import { rotationBadge } from "../states.js";
import { ageText, when } from "../time.js";
import { announce, busy, callout, card, notify } from "../ui.js";
import { wheel } from "../wheel.js";

/** Longer texts are read at the run, not in a notice. */
const NOTICE_MAX = 120;

export async function render({ params, signal, every }) {
  const body = h("div.stack");
  const opened = new Set();
  let parts = new AbortController();

  /** Shows what is on record now. The focus stays where it was, if that is still there. */
  async function reload() {
    const found = await loadRotation(params.id);
    if (signal.aborted) return;
    parts.abort();
    parts = new AbortController();
    const focused = document.activeElement?.dataset?.action;
    draw({ ...found, reload, signal: AbortSignal.any([signal, parts.signal]), every });
    if (focused) body.querySelector(`[data-action="${focused}"]`)?.focus({ preventScroll: true });
  }

  function draw(page) {
    const { rotation, state: standing, runs } = page;
    const history = runHistory({ id: rotation.id, runs, opened, every, ended: () => reload().catch((fault) => notify(fault.message, "bad")) });
    const live = h("section.card", { id: "runs" }, h("h2", { tabindex: "-1", dataset: { action: "runs" } }, "Runs"), history.element);
    // The two were asked for at the same time: a run that has just begun, or ended, is in one of them only.
    const isRunning = standing === "rotating" || runs[0]?.outcome === "running";
    const state = h("span", {}, standing && rotationBadge(isRunning ? "rotating" : standing));
    const present = h("section.card");
    fill(present, h("h2", {}, "Keys"), ledger(page));
    page.follow = (request, done) => {
      const tell = (fault) => notify(fault.message.length > NOTICE_MAX ? "This did not work. The latest run says why." : fault.message, "bad");
      // Told when the run has ended and the page shows it, not as soon as the request is answered.
      history.watch(request).then(() => request).then(() => notify(done), tell);
      for (const button of body.querySelectorAll("button[data-action]")) button.disabled = true;
      fill(state, rotationBadge("rotating"));
      announce("Started");
      live.scrollIntoView({ block: "start" });
      live.querySelector("h2").focus({ preventScroll: true });
    };
    if (isRunning) history.watch();
    fill(body,
      top(page, isRunning, state),
      trouble(page),
      card("Key wheel", wheel(page.keys, runs, rotation, page.signal)),
      present,
      live,
      h("div.cards", {},
        h("section.card", {},
          h("div.heading", {}, h("h2", {}, "Settings"), h("div.actions", {}, action("edit", "Edit", () => edit(page), ".small"), action("policy", "Edit policy", () => editPolicy(page), ".small"))),
          settings(page)),
        card("Credentials", credentials(page))));
    askLastUse(page).then((refusal) => !page.signal.aborted && redrawKeys(present, page, refusal));
  }

  await reload();
  return body;
}

function action(name, text, does, kind = "") {
  const button = h(`button${kind}`, { type: "button", dataset: { action: name }, async onclick() {
    try {
      await does(button);
    } catch (fault) {
      notify(fault.message, "bad");
    }
  } }, text);
  return button;
}

/** Shows what AWS has answered. What was open stays open, and the focus stays where it was. */
function redrawKeys(place, page, refusal) {
  const isOpen = place.querySelector("details")?.open;
  const focused = place.contains(document.activeElement) && document.activeElement.getAttribute("aria-label");
  fill(place, h("h2", {}, "Keys"), ledger(page), refusal && unasked(refusal));
  if (isOpen) place.querySelector("details").open = true;
  if (focused) place.querySelector(`[aria-label="${focused}"]`)?.focus({ preventScroll: true });
}

/** What is shown is what was asked before; why, is told to who wants to know. */
function unasked(refusal) {
  return h("details.small", {}, h("summary", {}, "AWS could not be asked for the last use just now"), h("p", {}, refusal));
}

function top(page, isRunning, state) {
  const { rotation, keys } = page;
  const published = keys.find(({ state }) => state === "published");
  const [previous] = keys.filter(({ state }) => state === "displaced" || state === "deactivated").sort((one, other) => (other.displacedAt ?? "").localeCompare(one.displacedAt ?? ""));
  const buttons = [
    action("rotate", "Rotate now", () => rotateNow(page), ".primary"),
    action("preview", "Preview", () => preview(page)),
    action("pause", rotation.isAutoRotationEnabled ? "Pause" : "Resume", () => pauseOrResume(page)),
    previous && barred(action("roll-back", "Roll back", () => rollBack(page, previous)), !hasSecret(previous) && NO_SECRET),
    previous && action("retire", "Retire previous", () => retire(page, previous), ".danger"),
    published && action("check", "Check the key", (button) => busy(button, "Checking …", () => checkKey(page))),
    action("move", "Move", () => move(page)),
    action("delete", "Delete", () => remove(page), ".danger"),
  ].filter(Boolean);
  if (isRunning) for (const button of buttons) button.disabled = true;
  const parts = [
    ["The key is ", published?.createdAt ? `${ageText(published.createdAt)} old` : "not known"],
    rotation.nextRotationAt ? ["next rotation ", when(rotation.nextRotationAt)] : ["no next rotation"],
    [scheduleText(rotation)],
  ];
  return [
    h("div", {},
      h("p.small", {}, h("a", { href: "/rotations" }, "Rotations")),
      h("div.row", {}, h("h1", {}, rotation.name), state),
      rotation.description && h("p", {}, rotation.description),
      h("p.faint", {}, parts.flatMap((part, index) => (index === 0 ? part : [" · ", ...part])))),
    h("div.actions.many", { role: "group", "aria-label": "What to do with the rotation" }, buttons),
  ];
}

/** Switches a button off for a reason, if there is one. */
function barred(button, reason) {
  if (!reason) return button;
  button.disabled = true;
  button.title = reason;
  return button;
}

/** What the attempts since the last success have done to earlier keys all the same. */
function casualties(runs) {
  const success = runs.findIndex(({ outcome }) => outcome === "published");
  const steps = runs.slice(0, success === -1 ? undefined : success).flatMap(({ outcome, steps }) => (outcome === "failed" ? steps : []));
  const keysOf = (wanted) => [...new Set(steps.filter(({ step, error, accessKeyId }) => step === wanted && !error && accessKeyId).map(({ accessKeyId }) => accessKeyId))];
  const created = new Set(keysOf("create"));
  const deleted = keysOf("delete").filter((id) => !created.has(id));
  const inactive = keysOf("deactivate").filter((id) => !created.has(id) && !deleted.includes(id));
  return [...deleted.map((id) => ["The previous key ", keyId(id), " has been deleted. "]), ...inactive.map((id) => ["The previous key ", keyId(id), " has been deactivated. "])];
}

/** What is wrong, and what to do. */
function trouble({ rotation, runs, keys }) {
  const blocking = keys.filter(({ blocksRotation, state }) => blocksRotation || state === "orphan_suspect");
  const failed = runs.find(({ outcome }) => outcome !== "running" && outcome !== "settled");
  const code = failed?.outcome === "failed" ? failed.code : null;
  return [
    rotation.rotationStatus === "failed" && h("section", { "aria-label": "Failure" }, callout("bad", "The last rotation failed", failure(code, rotation.lastRotationMessage, "Look at the steps of the run below, and in the log of the server."),
      h("p.faint", {}, "The published key is as it was. ", casualties(runs), rotation.nextRotationAt ? ["The next attempt comes ", when(rotation.nextRotationAt), "; you can try again now."] : "No next attempt is planned; you can try again now."))),
    blocking.length > 0 && h("section", { "aria-label": "Decision" }, callout("warn", "A key needs your decision",
      h("p", {}, blocking.map(({ accessKeyId }) => [h("code", {}, accessKeyId), " "]), "holds a slot that no rotation can free. See what can be done with it under Keys."))),
  ];
}
