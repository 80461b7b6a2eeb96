// Speaks to the API as any other client does. The session is a cookie that scripts cannot read; what changes something
// carries the token against forged requests as well.

/** Where the session of the caller is. */
export const SESSION = "/api/v1/sessions/current";

let csrfToken = "";

/** Told once, with the session. */
export function setCsrfToken(token) {
  csrfToken = token;
}

/** A refusal of the API, or no answer at all. */
export class Refused extends Error {
  /** @param {number} status 0 if there was no answer */
  constructor(status, body, retryAfter = null) {
    super(messageOf(status, body));
    this.status = status;
    this.name = body?.error ?? "";
    /** In how many seconds it may be tried again, if the server says so. */
    this.retryAfter = Number(retryAfter) || 0;
    /** For who is asked for help: the log has a line with it. */
    this.requestId = body?.reqId ?? "";
    /** What is wrong with which field: `[{path: ["name"], message}]`. */
    this.faults = Array.isArray(body?.message) ? body.message : [];
  }
}

/** Said by the contract before the reason, which is what people need. */
const PREFIX = /^Infisical encountered an issue while generating credentials with the configured inputs: /;

function messageOf(status, body) {
  if (status === 0) return "Keywheel did not answer. Is the server running, and is the network there?";
  if (Array.isArray(body?.message)) return body.message.map((fault) => `${fault.path?.join(".")}: ${fault.message}`).join("; ");
  return body?.message?.replace(PREFIX, "") ?? `The server answered ${status}`;
}

async function exchange(method, path, body, signal) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Keywheel-CSRF"] = csrfToken;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (fault) {
    if (signal?.aborted) throw fault;
    throw new Refused(0);
  }
  const content = await answer.json().catch(() => null);
  if (answer.ok) return { content, next: nextOf(answer.headers.get("Link"), answer.url) };
  if (answer.status === 401 && csrfToken && path !== SESSION) await noticeEnd();
  throw new Refused(answer.status, content, answer.headers.get("Retry-After"));
}

/** A wrong password is refused as 401 too: only the session's own address says whether it has ended. */
async function noticeEnd() {
  const { status } = await fetch(SESSION, { headers: { Accept: "application/json" } }).catch(() => ({ status: 0 }));
  if (status === 401) document.dispatchEvent(new CustomEvent("signed-out"));
}

/** The address of the next page from a `Link` header (RFC 8288), which is relative to the request; none behind the last. */
function nextOf(header, asked) {
  const [, address] = header?.match(/<([^>]+)>\s*;[^,]*rel="?next"?/) ?? [];
  if (!address) return null;
  const { pathname, search } = new URL(address, asked);
  return pathname + search;
}

const call = async (...request) => (await exchange(...request)).content;

/** A path with a query: `to("/api/x", {projectId, search: ""})` leaves out what is empty. */
export function to(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

export const api = {
  /** `signal` calls the question off when its answer is not wanted any more. */
  get: (path, query, { signal } = {}) => call("GET", to(path, query), undefined, signal),
  /** One page of a list: `{content, next}`; `next` is the address of the page after it (for `page` again) or null. */
  page: (path, query, { signal } = {}) => exchange("GET", to(path, query), undefined, signal),
  post: (path, body = {}) => call("POST", path, body),
  patch: (path, body) => call("PATCH", path, body),
  put: (path, body) => call("PUT", path, body),
  delete: (path, body) => call("DELETE", path, body),
};
