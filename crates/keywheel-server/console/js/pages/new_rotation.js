// A new rotation, in steps. Nothing is lost by going back, and nothing is made before the review.

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { bodyOf, current, discard, forgetSecret } from "../new_rotation/draft.js";
import { adoption, connection, user } from "../new_rotation/source.js";
import { place, review, schedule } from "../new_rotation/terms.js";
import { allProjects } from "../parts.js";
import { ROTATIONS } from "../rotation/api.js";
import { failure } from "../rotation/steps.js";
import { go } from "../router.js";
import { announce, callout, form, heading, notify, problem, showFaults } from "../ui.js";

/** Which step has the field that a refusal names first in its path. */
const STEP_OF = {
  connectionId: connection, parameters: user, adoption,
  rotationInterval: schedule, rotateAtUtc: schedule, policy: schedule,
  projectId: place, environment: place, secretPath: place, name: place, description: place, secretsMapping: place,
};

/** Words of refusals that name no field. */
const SIGNS = [[/secrets already exist|find folder|already exists at|environment/i, place], [/IAM user|AccessDenied/, user]];

function stepOf(fault) {
  return STEP_OF[fault.faults?.[0]?.path?.[0]] ?? SIGNS.find(([sign]) => sign.test(fault.message))?.[1];
}

export async function render({ query, signal }) {
  const draft = current();
  for (const name of ["connectionId", "projectId"]) if (query.get(name)) draft[name] = query.get(name);
  signal.addEventListener("abort", forgetSecret);
  let projects = await allProjects();
  const body = h("div.stack");
  let shown = new AbortController();

  const steps = () => [connection, user, adoption, schedule, place, review].filter((step) => step.isWanted?.(draft) ?? true);
  const next = (step) => steps()[steps().indexOf(step) + 1];
  const before = (step) => steps()[steps().indexOf(step) - 1];

  /** Shows a step; `faults` of a refusal are shown at its fields. */
  async function show(step, faults) {
    shown.abort();
    shown = new AbortController();
    const own = AbortSignal.any([signal, shown.signal]);
    body.setAttribute("aria-busy", "true");
    try {
      const content = await step.content(draft, { projects, signal: own, refused: (fault) => refused(fault, show), made: (place) => made(step, place) });
      if (own.aborted) return;
      const title = h("h2", { tabindex: "-1" }, step.title);
      const asked = content.isBlocked ? content.nodes : formOf(step, content.nodes);
      fill(body, progress(steps(), step), h("section.card", {}, title, asked));
      announce(`Step ${steps().indexOf(step) + 1} of ${steps().length}: ${step.title}`);
      // Not when the page has just been opened: then its own heading is where reading begins.
      if (body.isConnected) title.focus();
      if (faults) showFaults(body.querySelector("form"), faults, body.querySelector("form > [role=alert]"));
    } catch (fault) {
      if (!own.aborted) fill(body, problem(fault, () => show(step)));
    } finally {
      body.removeAttribute("aria-busy");
    }
  }

  /** Goes on with a project or an environment that was made meanwhile; nothing if that was called off. */
  async function made(step, place) {
    if (!place) return;
    const open = body.querySelector("form");
    if (open) step.take(Object.fromEntries(new FormData(open)), draft);
    projects = await allProjects();
    Object.assign(draft, place);
    await show(step);
  }

  function formOf(step, nodes) {
    const back = before(step) && h("button", { type: "button", onclick(event) {
      step.take(Object.fromEntries(new FormData(event.target.form)), draft);
      show(before(step));
    } }, "Back");
    return form({
      content: nodes,
      others: [back],
      button: step.button ?? "Next",
      waiting: step.waiting ?? "Checking …",
      async act(values) {
        step.take(values, draft);
        await step.check?.(draft);
        if (step === review) return create(draft, show);
        return show(next(step));
      },
    });
  }

  await show(connection);
  return [heading("New rotation"), body];
}

function progress(steps, current) {
  const at = steps.indexOf(current);
  return h("ol.progress", { "aria-label": "Steps" }, steps.map((step, index) =>
    h(index < at ? "li.done" : "li", { "aria-current": index === at ? "step" : null },
      index < at ? "✓ " : `${index + 1}. `, step.title, index < at && h("span.sr", {}, " (done)"))));
}

async function create(draft, show) {
  try {
    const { secretRotation } = await api.post(ROTATIONS, bodyOf(draft));
    discard();
    notify(`${secretRotation.name} is made; its key is published`);
    go(`/rotations/${secretRotation.id}`);
  } catch (fault) {
    const step = stepOf(fault);
    if (!step || fault.faults.length === 0) throw fault;
    await show(step, fault);
  }
}

/** What the review says of a refusal: what is in the way, and the step where it is mended. */
function refused(fault, show) {
  const step = stepOf(fault);
  return callout("bad", "This cannot be made as it is", failure(null, fault.message),
    step && h("p", {}, h("button", { type: "button", onclick: () => show(step, fault) }, `Mend it: ${step.title}`)));
}
