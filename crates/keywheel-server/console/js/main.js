// Starts the console: who is signed in, which page is asked for, and what surrounds it.

import { api, Refused, SESSION, setCsrfToken } from "./api.js";
import { h, fill } from "./dom.js";
import { find, followLinks, plain } from "./router.js";
import { shell } from "./shell.js";
import { tellTimes } from "./time.js";
import { announce, problem } from "./ui.js";

/** What is shown without a session. The links of the first two carry a token that is good once. */
const DOORS = { "/setup": "setup", "/join": "join", "/sign-in": "sign_in" };

/** Between two looks at how far away the moments on the page are. Nothing is asked for. */
const TELL_TIMES = 10_000;

const app = document.querySelector("#app");
let session = null;
let frame = null;
let leave = new AbortController();
/** The address that is shown: a change of nothing but its fragment is no change of page. */
let shown = "";

/** What a page may ask for: the session, its address, and work that ends with the page. */
function contextOf(params) {
  const { signal } = leave;
  return {
    session,
    params,
    query: new URLSearchParams(location.search),
    signal,
    /**
     * Does something again and again while the page is shown and visible; never faster than every two seconds, and
     * never while it is still being done.
     */
    every(milliseconds, work) {
      let isUnderWay = false;
      const turn = async () => {
        if (document.hidden || isUnderWay) return;
        isUnderWay = true;
        try {
          await work();
        } finally {
          isUnderWay = false;
        }
      };
      const timer = setInterval(turn, Math.max(milliseconds, 2_000));
      const stop = () => clearInterval(timer);
      signal.addEventListener("abort", stop);
      if (signal.aborted) stop();
      return stop;
    },
  };
}

/** Ends the work of the page that is left, and closes what it opened. */
function depart() {
  leave.abort();
  leave = new AbortController();
  for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
  return leave.signal;
}

async function show() {
  const signal = depart();
  shown = location.pathname + location.search;
  frame ??= framed();
  const { main } = frame;
  frame.mark();
  main.setAttribute("aria-busy", "true");
  const found = find(location.pathname);
  try {
    if (!found) throw new Refused(404, { message: "There is no such page." });
    const page = await import(`./pages/${found.name}.js`);
    const content = await page.render(contextOf(found.params));
    if (signal.aborted) return;
    fill(main, content);
  } catch (fault) {
    if (signal.aborted) return;
    fill(main, problem(fault, show));
  }
  main.removeAttribute("aria-busy");
  const title = main.querySelector("h1")?.textContent ?? "Keywheel";
  document.title = `${title} – Keywheel`;
  announce(title);
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
  if (location.hash) document.getElementById(plain(location.hash.slice(1)) ?? "")?.scrollIntoView();
}

function framed() {
  const main = h("main", { id: "main", tabindex: "-1" });
  const { nodes, mark } = shell(session, main);
  fill(app, nodes);
  return { main, mark };
}

/** What is shown to who is not signed in. After it, the page that was asked for comes. */
async function greet() {
  const signal = depart();
  frame = null;
  const page = await import(`./pages/${DOORS[location.pathname] ?? "sign_in"}.js`);
  const content = await page.render({ signedIn: start, query: new URLSearchParams(location.search), signal });
  if (signal.aborted) return;
  fill(app, content);
  document.title = `${app.querySelector("h1")?.textContent ?? "Sign in"} – Keywheel`;
  app.querySelector("[autofocus]")?.focus();
}

/** A one-time link is followed by whoever opens it, signed in or not. */
const hasLink = () => location.pathname in DOORS && location.pathname !== "/sign-in" && location.hash.length > 1;

async function start() {
  if (hasLink()) return greet();
  try {
    ({ session } = await api.get(SESSION));
    setCsrfToken(session.csrfToken);
  } catch (fault) {
    if (fault.status === 401) return greet();
    fill(app, h("main", { id: "main", tabindex: "-1" }, problem(fault, start)));
    return undefined;
  }
  frame = null;
  if (location.pathname in DOORS) history.replaceState(null, "", "/");
  return show();
}

document.addEventListener("signed-out", () => {
  if (!session) return;
  session = null;
  greet();
});
addEventListener("popstate", () => {
  if (hasLink() || !session) return start();
  if (location.pathname + location.search !== shown || !location.hash) return show();
  return undefined;
});
setInterval(tellTimes, TELL_TIMES);
followLinks();
start();
