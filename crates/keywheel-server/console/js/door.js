// What the pages before signing in share: a small card under the name.

import { h } from "./dom.js";
import { plain } from "./router.js";
import { field, markFault } from "./ui.js";

/** The least that a new password must have; the server says the same. */
const PASSWORD_MIN = 12;

/** A page before signing in. */
export function door(title, ...content) {
  return h("main.door.stack", { id: "main", tabindex: "-1" },
    h("a.name", { href: "/" }, h("img", { src: "/console/icon.svg", alt: "" }), "Keywheel"),
    h("div.card", {}, h("h1", {}, title), content));
}

/** Two fields for a new password. */
export function newPassword() {
  const given = { type: "password", autocomplete: "new-password", required: true, minlength: PASSWORD_MIN };
  return [
    field("Password", h("input", { name: "password", ...given }), `At least ${PASSWORD_MIN} characters. A sentence is easier to keep than a riddle.`),
    field("The same again", h("input", { name: "repeated", ...given })),
  ];
}

/** Whether both fields hold the same; says so at the second if not. */
export function samePassword(values, form) {
  if (values.password === values.repeated) return true;
  const second = form.querySelector("[name=repeated]");
  markFault(second, "The two passwords differ.");
  second.focus();
  return false;
}

/**
 * The token of a one-time link; it is taken out of the address, so that it stays in no history. One that was damaged is
 * none of ours, and the server says so.
 */
export function takeToken() {
  const hash = location.hash.slice(1);
  const token = plain(hash) ?? hash;
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}
