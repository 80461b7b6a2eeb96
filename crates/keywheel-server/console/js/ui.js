// Parts that pages are made of. Meaning is never in the colour alone.

import { h, fill } from "./dom.js";
import { fromNow } from "./time.js";

/** The heading of a page, with what can be done there at its side. */
export function heading(title, ...actions) {
  return h("div.heading", {}, h("h1", {}, title), h("div.actions", {}, actions));
}

/** A word with a sign and a colour: `ok`, `busy`, `warn`, `bad`, `idle`; `plain` has neither. */
export function badge(kind, text) {
  const signs = { ok: "✓", busy: "◌", warn: "!", bad: "✕", idle: "‖" };
  return h(`span.badge.${kind}`, {}, signs[kind] && h("span", { "aria-hidden": "true" }, `${signs[kind]} `), text);
}

/**
 * A table: `table("Rotations", [["Name", (row) => …], …], rows, empty("…"))`. A column is its title, the cell of a row,
 * and, if wanted, a class and a heading of its own: `{content, sort}` with the direction that it is sorted by.
 */
export function table(caption, columns, rows, nothing = empty("Nothing here yet.")) {
  if (rows.length === 0) return nothing;
  const cell = (row) => ([title, content, kind], at) =>
    h(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: kind ?? null, "data-title": title }, content(row) ?? []);
  return h("div.wide", { tabindex: "0", role: "region", "aria-label": caption },
    h("table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, columns.map(([title, , , head]) => h("th", { scope: "col", "aria-sort": head?.sort ?? null }, head?.content ?? title)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(cell(row))))),
    ),
  );
}

/** What is shown where nothing is yet: what to do first. */
export function empty(text, ...actions) {
  return h("div.empty", {}, h("p", {}, text), actions);
}

/** What a refusal means for the person: what to do next, by its status. */
function adviceOf(fault) {
  if (fault.status === 404) return "It may have been deleted.";
  if (fault.status === 403) return "Ask an administrator for the role that this needs.";
  if (fault.message.startsWith("AWS cannot be reached")) return "Check the network of the server, and the endpoint if one is given; then try again.";
  if (fault.retryAfter > 0) return `Try again ${fromNow(fault.retryAfter * 1_000, 0)}.`;
  if (fault.status === 503 || fault.status === 504) return "Try again in a moment.";
  return "";
}

/** What went wrong and what to do next, in sentences. */
export function told(fault) {
  const advice = adviceOf(fault);
  return advice ? `${fault.message.replace(/(?<![.!?…])$/, ".")} ${advice}` : fault.message;
}

/** The same where a page would be. */
export function problem(fault, again) {
  return h("div.problem", { role: "alert" },
    h("h1", {}, { 403: "Not allowed", 404: "Not found" }[fault.status] ?? "This did not work"),
    h("p", {}, told(fault)),
    fault.requestId && h("p.faint", {}, "Request ", h("code", {}, fault.requestId)),
    wayOut(fault, again),
  );
}

/** What helps beside the message, which tells who is not allowed to whom to turn. */
export function wayOut({ status }, again) {
  if (status === 403) return null;
  if (status === 404) return h("p", {}, h("a.button", { href: "/" }, "Go to the overview"));
  return again && h("p", {}, h("button", { type: "button", onclick: again }, "Try again"));
}

/** Says something to screen readers alone: what changed without a new page. */
export function announce(text) {
  document.querySelector("#announcer").textContent = text;
}

/** Names and what they are: `facts([["Name", "billing"], ["Region", node]])`; entries without a value are left out. */
export function facts(entries) {
  const given = entries.filter((entry) => entry && entry[1] !== null && entry[1] !== undefined && entry[1] !== "");
  return h("dl.facts", {}, given.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** A part of a page with a heading of its own. */
export function card(title, ...content) {
  return h("section.card", {}, h("h2", {}, title), content);
}

/** Something that deserves attention: `callout("warn", "Paused", "…")`; kinds as of badges. */
export function callout(kind, title, ...content) {
  return h(`div.callout.${kind}`, {}, h("p", {}, h("strong", {}, title)), content);
}

/** A short notice that goes by itself; screen readers say it. */
export function notify(text, kind = "ok") {
  const notice = h(`p.notice.${kind}`, {}, text, h("button.quiet", { type: "button", "aria-label": "Close", onclick: () => notice.remove() }, "×"));
  document.querySelector("#notices").append(notice);
  if (kind === "ok") setTimeout(() => notice.remove(), 6_000);
}

/**
 * Does something while a button waits for it: the button is off and says so, and comes back if it did not work.
 * @returns {Promise<any>} what `work` answered
 */
export async function busy(button, text, work) {
  const before = [...button.childNodes];
  const hadFocus = document.activeElement === button;
  button.disabled = true;
  button.setAttribute("aria-busy", "true");
  fill(button, h("span.spin", { "aria-hidden": "true" }, "◌"), ` ${text}`);
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
    fill(button, before);
    // A button that is off loses the focus; who presses keys goes on from it.
    if (hadFocus && document.activeElement === document.body) button.focus();
  }
}

/**
 * Shows a refusal in a form: a fault of a field at the field (by its name, `parameters.userName` for a deeper one), the
 * rest in `place`. The first field at fault gets the focus.
 */
export function showFaults(form, refusal, place) {
  clearFaults(form);
  const rest = [];
  let first = null;
  for (const { path, message } of refusal.faults ?? []) {
    const control = form.querySelector(`[name="${CSS.escape(path.join("."))}"]`) ?? form.querySelector(`[name="${CSS.escape(String(path.at(-1)))}"]`);
    if (!control || control.type === "hidden") {
      rest.push(`${path.join(".")}: ${message}`);
      continue;
    }
    first ??= control;
    markFault(control, message);
  }
  if (!refusal.faults?.length) rest.push(told(refusal));
  fill(place, rest.map((text) => h("p.fault", {}, text)));
  first?.focus();
}

/** Says at a field what is wrong with it. */
export function markFault(control, message) {
  const id = `${control.id || control.name}-fault`;
  control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", `${control.getAttribute("aria-describedby") ?? ""} ${id}`.trim());
  control.closest(".field, label")?.append(h("p.fault", { id }, message));
}

/** Takes away what `showFaults` and `markFault` showed. */
export function clearFaults(form) {
  for (const control of form.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    const rest = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && !id.endsWith("-fault"));
    if (rest.length > 0) control.setAttribute("aria-describedby", rest.join(" "));
    else control.removeAttribute("aria-describedby");
  }
  for (const fault of form.querySelectorAll(".field p.fault, label p.fault")) fault.remove();
}

/**
 * A form that does one thing: `act` gets its values; a refusal is shown at its fields, or above the button.
 * @returns {HTMLFormElement}
 */
export function form({ content, button, waiting = "Saving …", danger = false, act, others = [] }) {
  const place = h("div", { role: "alert" });
  const submit = h(danger ? "button.danger" : "button.primary", { type: "submit" }, button);
  return h("form", {
    // What was refused is not what is there any more.
    oninput: () => fill(place),
    async onsubmit(event) {
      event.preventDefault();
      const { target } = event;
      clearFaults(target);
      fill(place);
      try {
        await busy(submit, waiting, () => act(Object.fromEntries(new FormData(target)), target));
      } catch (refusal) {
        showFaults(target, refusal, place);
      }
    },
  }, content, place, h("div.actions", {}, others, submit));
}

/**
 * Asks before something is done: says what will happen, does it on the button, and shows what went wrong in place.
 * `content` may be any nodes, also fields; `act` gets the form's values and its result is the result. Without `act` the
 * dialog only shows something, and the button closes it.
 * @returns {Promise<any>} what `act` answered; undefined if it was called off
 */
export function confirm({ title, content, button, waiting = "Working …", danger = false, act }) {
  return new Promise((resolve) => {
    const opener = document.activeElement;
    const cancel = h("button", { type: "button", onclick: () => done(undefined) }, "Cancel");
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" },
      h("h2", { id: "dialog-title", tabindex: "-1" }, title),
      form({ content: h("div", {}, content), button, waiting, danger, others: act ? [cancel] : [], act: async (values, target) => done((await act?.(values, target)) ?? true) }),
    );
    function done(result) {
      dialog.close();
      dialog.remove();
      if (opener?.isConnected) opener.focus();
      resolve(result);
    }
    dialog.addEventListener("cancel", () => done(undefined));
    document.body.append(dialog);
    dialog.showModal();
    // What will happen is read before the button that does it.
    (dialog.querySelector("[autofocus]") ?? dialog.querySelector("h2")).focus();
  });
}

let fields = 0;

/** A labelled field: `field("Name", h("input", {name: "name"}), "What it is for")`. */
export function field(label, control, hint) {
  fields += 1;
  control.id ||= `field-${fields}`;
  const hintId = `${control.id}-hint`;
  if (hint) control.setAttribute("aria-describedby", hintId);
  return h("div.field", {}, h("label", { for: control.id }, label), control, hint && h("p.hint", { id: hintId }, hint));
}

/** A box to tick: `check("Delete the secrets too", {name: "deleteSecrets"}, "What it does")`. */
export function check(label, properties, hint) {
  const row = field(label, h("input", { type: "checkbox", ...properties }), hint);
  row.classList.add("check");
  row.prepend(row.querySelector("input"));
  return row;
}

/**
 * One of a few things, each with what it means: `choices("mode", "How?", [["grace", "By hours", "…"], …], "grace")`.
 * @returns {HTMLFieldSetElement}
 */
export function choices(name, legend, options, chosen, onchange) {
  return h("fieldset", { onchange: onchange && ((event) => event.target.name === name && onchange(event.target.value)) },
    h("legend", {}, legend),
    options.map(([value, title, text]) => h("label.choice", {},
      h("input", { type: "radio", name, value, checked: value === chosen, required: true }),
      h("span", {}, h("strong", {}, title), text && h("span", {}, text)))));
}

/** A choice: `select("environment", [["dev", "Development"], …], "dev")`. */
export function select(name, options, chosen, properties = {}) {
  return h("select", { name, ...properties }, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
}

/** Text to take along, with a button that copies it. */
export function copyable(text, label = "Copy") {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      notify("Copied");
    } catch {
      notify("The browser does not let a page without https copy. Select the text and copy it.", "bad");
    }
  };
  return h("div.copyable", {}, h("pre", { tabindex: "0" }, h("code", {}, text)), h("button.quiet", { type: "button", onclick: copy }, label));
}
