// The first account of a new instance, with the link that the server printed at its first start.

import { api } from "../api.js";
import { door, newPassword, samePassword, takeToken } from "../door.js";
import { h } from "../dom.js";
import { field, form } from "../ui.js";
import { render as signIn } from "./sign_in.js";

export async function render(context) {
  const token = takeToken();
  if (!token) return signIn(context);
  const options = await api.get("/api/v1/sessions/options").catch(() => null);
  if (options?.isSetUp) return door("Already set up", h("p", {}, "This instance has its first account. ", h("a", { href: "/sign-in" }, "Sign in")));
  return door("Set up Keywheel",
    h("p.faint", {}, "You become its first administrator. Others you invite later."),
    form({
      content: [
        field("Organization", h("input", { name: "organization", autocomplete: "organization", required: true, maxlength: 64, autofocus: true })),
        field("E-mail", h("input", { name: "email", type: "email", autocomplete: "username", required: true })),
        newPassword(),
      ],
      button: "Create the account",
      waiting: "Creating …",
      async act(values, target) {
        if (!samePassword(values, target)) return;
        const { organization, email, password } = values;
        await api.post("/api/v1/accounts/setup", { setupToken: token, email, password, organization });
        await context.signedIn();
      },
    }));
}
