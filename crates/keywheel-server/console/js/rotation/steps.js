// Steps of runs and previews, in words.

import { h } from "../dom.js";
import { codeOf, FAULTS } from "../faults.js";
import { dateText, lengthText } from "../time.js";
import { badge, callout } from "../ui.js";

/** `step: [of what was done, of what would be done]`; `%` is the key. */
const WORDS = {
  identify: ["Looked who the connection is and who the user is", "Look who the connection is and who the user is"],
  list: ["Listed the keys of the user", "List the keys of the user"],
  "last-used": ["Asked when % was used last", "Ask when % was used last"],
  record: ["Wrote down what comes next", "Write down what comes next"],
  create: ["Created %", "Create a new key"],
  verify: ["Checked that % works", "Check that % works"],
  wait: ["Waited", "Wait"],
  publish: ["Published % as the two secrets", "Publish % as the two secrets"],
  deactivate: ["Deactivated %", "Deactivate %"],
  reactivate: ["Activated % again", "Activate % again"],
  delete: ["Deleted %", "Delete %"],
  finish: ["Finished", "Finish"],
};

/** Steps that say nothing to people unless something is wrong with them. */
const INNER = new Set(["record", "wait", "finish", "list"]);

const GOALS = { create: "First key", rotate: "Rotation", revoke: "Revoking all keys", "roll-back": "Roll back", retire: "Retiring a key", settle: "Tidying up" };

/** What a run was for. */
export const goalText = (goal) => GOALS[goal] ?? goal;

/** `AKIA…4EXAMPLE` with the whole id for copying and screen readers. */
export const keyId = (id) => h("code", {}, id);

function sentence(step, key, at) {
  const words = (WORDS[step] ?? [step, step])[at];
  const [before, after] = words.split("%");
  if (after === undefined) return words;
  return [before, key ? keyId(key) : "the new key", after];
}

/** Steps of the same kind for the same key, one after the other or with nothing but inner ones between, become one. */
function gathered(steps) {
  const list = [];
  for (const step of steps) {
    const last = list.at(-1);
    const isSame = last && last.step === step.step && last.accessKeyId === step.accessKeyId;
    if (INNER.has(step.step) && !step.error) {
      if (last) last.durationMs += step.durationMs ?? 0;
    } else if (isSame) {
      last.durationMs += step.durationMs ?? 0;
      last.times += step.times ?? 1;
      last.error = step.error;
    } else {
      list.push({ ...step, times: step.times ?? 1, durationMs: step.durationMs ?? 0 });
    }
  }
  return list;
}

/** The steps of a run: what was done, how long it took with its waits, what went wrong. */
export function ranSteps(steps, isRunning = false) {
  return h("ol.steps", {},
    gathered(steps).map(({ step, accessKeyId, durationMs, times, error }) => h("li", {},
      h("span", { "aria-hidden": "true" }, error ? "✕" : "✓"),
      h("span", {}, sentence(step, accessKeyId, error ? 1 : 0), times > 1 && h("span.faint", {}, ` ${times} times`)),
      h("span.faint", {}, lengthText(durationMs)),
      error && h("p.fault", {}, error))),
    // A step is on record when it is over.
    isRunning && h("li", {}, h("span.spin", { "aria-hidden": "true" }, "◌"), "The next step …"));
}

/** The steps of a preview: what was looked at already, and what would be done. */
export function plannedSteps(steps) {
  return h("ol.steps", {}, gathered(steps).map(({ step, accessKeyId, status, error }) =>
    h("li", {},
      h("span", { "aria-hidden": "true" }, error ? "✕" : status === "checked" ? "✓" : "→"),
      h("span", {}, sentence(step, accessKeyId, status === "checked" && !error ? 0 : 1)),
      h("span.faint", {}, status === "checked" ? "checked now" : "planned"),
      error && h("p.fault", {}, error))));
}

/** Why something failed: the message, what it means, what to do; `otherwise` is the advice if the code is not known. */
export function failure(code, message, otherwise = null) {
  const known = codeOf(code, message);
  const [meaning, advice] = FAULTS[known] ?? [null, otherwise];
  return [
    message && h("p", {}, message),
    meaning && h("p", {}, meaning),
    advice && h("p", {}, h("strong", {}, "What to do: "), advice, " ", known && h("a", { href: `/help#${known}` }, "About ", h("code", {}, known))),
  ];
}

/** What a preview tells: how it would end, what it would do, what is in the way now and at the rotation after. */
export function previewed(preview) {
  const isBad = preview.outcome === "failed" || preview.outcome === "parked";
  const { next } = preview;
  const isNextBad = next && (next.outcome === "failed" || next.outcome === "parked");
  return h("div.stack", {},
    isBad
      ? callout("bad", preview.outcome === "failed" ? "This would fail" : "This would wait", failure(preview.code, preview.message))
      : h("p.row", {}, badge("ok", "This would work"), "Nothing has been changed yet."),
    plannedSteps(preview.steps),
    preview.inTheWay.length > 0 && callout("warn", "In the way of later rotations", h("p", {}, preview.inTheWay.flatMap((id) => [keyId(id), " "]))),
    isNextBad && callout("warn", `The rotation after it, ${dateText(next.endsAt)}, would not work`, failure(next.code, next.message)));
}
