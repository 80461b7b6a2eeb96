// Signing in: the password, then the code of a second factor if the account has one.

import { api } from "../api.js";
import { door } from "../door.js";
import { h } from "../dom.js";
import { field, form } from "../ui.js";

/** What the API answers if the password is right and a code is wanted. */
const CODE_REQUIRED = "CodeRequired";

export async function render({ signedIn }) {
  const options = await api.get("/api/v1/sessions/options").catch(() => null);
  return options?.isSetUp === false ? notSetUp() : signIn(signedIn);
}

function signIn(signedIn) {
  const code = h("div", { hidden: true });
  const act = async (values, target) => {
    try {
      await api.post("/api/v1/sessions", given(values));
    } catch (refusal) {
      if (refusal.name !== CODE_REQUIRED || values.code) throw wrong(refusal, values);
      if (code.hidden) askForCode(code);
      return;
    }
    target.reset();
    await signedIn();
  };
  return door("Sign in", form({
    content: [
      field("E-mail", h("input", { name: "email", type: "email", autocomplete: "username", required: true, autofocus: true })),
      field("Password", h("input", { name: "password", type: "password", autocomplete: "current-password", required: true })),
      code,
    ],
    button: "Sign in",
    waiting: "Signing in …",
    act,
  }), h("p.hint", {}, "Forgotten the password, or lost the phone? An administrator can make a link for you."));
}

const given = ({ email, password, code }) => (code ? { email, password, code: code.replace(/\s/g, "") } : { email, password });

/** The field for the code comes when the server asks for it. */
function askForCode(place) {
  const input = h("input", { name: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: 12, required: true });
  place.append(field("Code", input, "The six digits that your authenticator app shows now."));
  place.hidden = false;
  // The button comes back after this; then the field gets the focus.
  setTimeout(() => input.focus());
}

function wrong(refusal, values) {
  if (refusal.name === CODE_REQUIRED) refusal.message = "The code is not right. Wait for the next one, and check the clock of your phone.";
  else if (refusal.status === 401) refusal.message = values.code ? "E-mail, password or code is not right." : "E-mail or password is not right.";
  return refusal;
}

function notSetUp() {
  return door("Welcome to Keywheel",
    h("p", {}, "Nobody has an account here yet. The first one is made with a link that works once."),
    h("p", {}, "Find it in the log of the server, at its first start: a line with ", h("code", {}, "/setup#…"), ". Open it in this browser."));
}
