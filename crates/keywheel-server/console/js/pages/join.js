// Choosing a password with a one-time link: of an invitation, or of a reset.

import { api } from "../api.js";
import { door, newPassword, samePassword, takeToken } from "../door.js";
import { h } from "../dom.js";
import { form } from "../ui.js";

export async function render({ signedIn }) {
  const token = takeToken();
  if (!token) {
    return door("This link is not complete",
      h("p", {}, "Open the whole link that you were given; it works once. If it is used up, ask an administrator for another."),
      h("p", {}, h("a", { href: "/sign-in" }, "Sign in")));
  }
  return door("Choose a password", chooser(token, signedIn),
    h("p.hint", {}, "The link works once. If you have used it already, ", h("a", { href: "/sign-in" }, "sign in"), "; if not, and it is refused, ask an administrator for another."));
}

function chooser(token, signedIn) {
  return form({
    content: newPassword(),
    button: "Save and sign in",
    waiting: "Signing in …",
    async act(values, target) {
      if (!samePassword(values, target)) return;
      await api.post("/api/v1/accounts/join", { token, password: values.password });
      await signedIn();
    },
  });
}
