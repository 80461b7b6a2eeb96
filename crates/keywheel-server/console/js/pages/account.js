// One's own account: password, second factor, sessions.

import { api } from "../api.js";
import { h } from "../dom.js";
import { action, ask, region, secret, text } from "../parts.js";
import { qrCode } from "../qr.js";
import { exactly, when } from "../time.js";
import { badge, card, confirm, copyable, facts, form, notify, table } from "../ui.js";

const ME = "/api/v1/accounts/me";

/** The section of the account. */
export function account(session) {
  return [
    card("Account", facts([["E-mail", session.account.email], ["Role", session.identity.role], ["Organization", session.organization.name]])),
    card("Password", passwordForm()),
    card("Two-factor sign-in", twoFactor(session)),
  ];
}

function passwordForm() {
  const all = form({
    content: [
      secret("password", "Present password", { autocomplete: "current-password", required: true }),
      secret("newPassword", "New password", { autocomplete: "new-password", required: true }),
      secret("again", "New password again", { autocomplete: "new-password", required: true }),
    ],
    button: "Change the password",
    act: async ({ password, newPassword, again }) => {
      if (newPassword !== again) throw Object.assign(new Error(), { faults: [{ path: ["again"], message: "The two are not the same." }] });
      await api.post(`${ME}/password`, { password, newPassword });
      all.reset();
      notify("The password is changed");
    },
  });
  return all;
}

function twoFactor({ account: mine }) {
  const state = region(async () => (mine.totpEnabled
    ? [h("p", {}, badge("ok", "On"), " Signing in asks for a code of your app. If the phone is lost, ask an administrator for a one-time link: it switches the second factor off."), action("Switch it off", off, "danger")]
    : [h("p", {}, badge("plain", "Off"), " With it, a stolen password alone opens nothing."), action("Set it up", begin, "primary")]));
  async function begin() {
    const begun = await ask({
      title: "Set up two-factor sign-in",
      content: [h("p", {}, "First show that it is you."), secret("password", "Password", { autocomplete: "current-password", required: true })],
      button: "Go on",
      act: ({ password }) => api.post(`${ME}/totp`, { password }),
    });
    if (!begun) return;
    const { secret: shared, uri } = begun;
    const done = await ask({
      title: "Set up two-factor sign-in",
      content: [
        h("p", {}, "1. Scan this with your authenticator app, ", h("a", { href: uri }, "open it there"), ", or type the secret:"),
        qrCode(uri, "The secret below, to scan"),
        copyable(shared),
        h("p", {}, "2. Type the code that the app shows:"),
        text("code", "Code", { inputmode: "numeric", autocomplete: "one-time-code", required: true, maxlength: 6, pattern: "[0-9]{6}" }),
      ],
      button: "Switch it on",
      act: ({ code }) => api.post(`${ME}/totp/confirm`, { code }),
    });
    if (done) changed(true);
  }
  async function off() {
    const done = await confirm({
      title: "Switch two-factor sign-in off?",
      content: [h("p", {}, "From then on the password alone is enough."), secret("password", "Password", { autocomplete: "current-password", required: true })],
      button: "Switch it off", danger: true,
      act: ({ password }) => api.delete(`${ME}/totp`, { password }),
    });
    if (done) changed(false);
  }
  function changed(isOn) {
    // The session was asked for when the console started.
    mine.totpEnabled = isOn;
    notify(`Two-factor sign-in is ${isOn ? "on" : "off"}`);
    state.reload();
  }
  return state.place;
}

/** The section of sessions. */
export function sessions() {
  const list = region(async () => {
    const { sessions: found } = await api.get("/api/v1/sessions");
    return table("Sessions", [
      ["Device", ({ userAgent, isCurrent }) => [h("span", { title: userAgent }, deviceOf(userAgent)), " ", isCurrent && badge("ok", "this one")]],
      ["Address", ({ ipAddress }) => ipAddress && h("code", {}, ipAddress)],
      ["Last seen", ({ lastSeenAt }) => when(lastSeenAt)],
      ["Signed in", ({ createdAt }) => when(createdAt)],
      ["Ends", ({ expiresAt }) => exactly(expiresAt)],
      ["Actions", (session) => (session.isCurrent ? h("span.faint", {}, "Sign out ends it") : action("Revoke", () => revoke(session), "quiet.small", `${deviceOf(session.userAgent)} at ${session.ipAddress}`))],
    ], found);
  });
  async function revoke({ id }) {
    await api.delete(`/api/v1/sessions/${id}`);
    notify("The session is revoked");
    await list.reload();
  }
  return card("Sessions", h("p", {}, "Where you are signed in. Revoke what you do not know, and change your password."), list.place);
}

/** `Firefox on Linux`, as well as the user agent tells. */
function deviceOf(userAgent) {
  const named = (names) => names.find(([sign]) => userAgent?.includes(sign))?.[1];
  const browser = named([["Edg/", "Edge"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"], ["keywheel", "Command line"]]);
  const system = named([["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]]);
  return [browser, system].filter(Boolean).join(" on ") || userAgent || "Unknown";
}
