// The history of runs, live while one runs.

import { fill, h } from "../dom.js";
import { outcomeBadge } from "../states.js";
import { lengthText, when } from "../time.js";
import { announce, empty } from "../ui.js";
import { RUNS_SHOWN, runsOf } from "./api.js";
import { goalText, ranSteps } from "./steps.js";

/** How often a run that runs is looked at; the fastest that pages may. */
const LOOK_AGAIN = 2_000;
/** When it is looked at first: then it is on record. */
const LOOK_FIRST = 300;

const isRunning = (run) => run?.outcome === "running";

/**
 * The list, and what watches it.
 * @param {{id: string, runs: object[], opened: Set<string>, every: Function, ended: () => Promise}} given `opened` are the
 * runs whose steps are shown; `ended` is told when the last running one has ended
 * @returns {{element: HTMLElement, watch: (pending?: Promise) => Promise<void>}} `watch` looks again until nothing runs, and
 * as long as the request of `pending` is not answered; then all is drawn again, and it is through
 */
export function runHistory({ id, runs, opened, every, ended }) {
  const element = h("div");
  if (runs[0]?.outcome === "failed") opened.add(runs[0].id);
  let stop = null;
  let told = "";

  function draw(list) {
    if (list.length === 0) return fill(element, empty("No run is on record."));
    return fill(element, h("ul.list", {}, list.slice(0, RUNS_SHOWN).map((run) => h("li", {}, one(run, opened)))));
  }

  async function look() {
    const list = await runsOf(id).catch(() => null);
    if (!list) return null;
    if (isRunning(list[0])) opened.add(list[0].id);
    draw(list);
    const last = isRunning(list[0]) ? list[0].steps.at(-1)?.step ?? "" : "";
    if (last && last !== told) announce(`Running: ${last}`);
    told = last;
    return list;
  }

  async function watch(pending) {
    if (pending) element.prepend(h("p", {}, h("span.spin", { "aria-hidden": "true" }, "◌"), " Starting …"));
    let isAnswered = pending === undefined;
    await new Promise((over) => {
      const check = async () => {
        const list = await look();
        if (list && isAnswered && !isRunning(list[0])) over();
      };
      setTimeout(check, LOOK_FIRST);
      stop?.();
      stop = every(LOOK_AGAIN, check);
      pending?.catch(() => null).then(() => {
        isAnswered = true;
        return check();
      });
    });
    stop();
    await ended();
  }

  draw(runs);
  return { element, watch };
}

function one(run, opened) {
  const { id, goal, author, outcome, startedAt, endedAt, code, message, steps, node } = run;
  const length = endedAt ? lengthText(new Date(endedAt) - new Date(startedAt)) : isRunning(run) ? `${lengthText(Math.max(0, Date.now() - new Date(startedAt)))} so far` : "not ended";
  const details = h("details", { open: opened.has(id), ontoggle: () => opened[details.open ? "add" : "delete"](id) },
    h("summary", {}, outcomeBadge(outcome), " ", h("strong", {}, goalText(goal)), " ", when(startedAt), h("span.faint", {}, ` · ${length} · ${author.type === "platform" ? "by schedule" : `by ${author.name ?? "an identity that is gone"}`}`)),
    h("div.stack", { style: { "padding": ".6rem 0 0 1rem" } },
      outcome === "failed" && h("p", {}, message, " ", h("a", { href: `/help#${code}` }, "About ", h("code", {}, code))),
      outcome === "interrupted" && h("p", {}, "The server stopped while it ran. It goes on by itself with the next attempt."),
      ranSteps(steps, isRunning(run)),
      h("p.faint.small", {}, "Run ", h("code", {}, id), node !== "single" && ` on ${node}`)));
  return details;
}
