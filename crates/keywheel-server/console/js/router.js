// Which page is shown for which address. Pages are loaded when they are first wanted.

/** `:name` stands for one part of the path, which the page gets as `params.name`. */
const PAGES = [
  ["/", "overview"],
  ["/rotations", "rotations"],
  ["/rotations/new", "new_rotation"],
  ["/rotations/:id", "rotation"],
  ["/connections", "connections"],
  ["/connections/new", "new_connection"],
  ["/connections/:id", "connection"],
  ["/secrets", "secrets"],
  ["/access", "access"],
  ["/access/identities/:id", "identity"],
  ["/audit", "audit"],
  ["/settings", "settings"],
  ["/help", "help"],
];

/**
 * The page of an address: its module's name and the parts of the path; none if there is no such page.
 * @returns {{name: string, params: Record<string, string>} | null}
 */
export function find(path) {
  const parts = path.split("/").filter(Boolean);
  for (const [pattern, name] of PAGES) {
    const wanted = pattern.split("/").filter(Boolean);
    if (wanted.length !== parts.length) continue;
    if (!wanted.every((part, at) => part.startsWith(":") || part === parts[at])) continue;
    const params = {};
    wanted.forEach((part, at) => {
      if (part.startsWith(":")) params[part.slice(1)] = plain(parts[at]);
    });
    return Object.values(params).includes(null) ? null : { name, params };
  }
  return null;
}

/** A part of an address without its escapes; null if it is none: a `%` that nothing follows, say. */
export function plain(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** Goes to another page of the console. */
export function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Makes links of the console work without loading the whole page again. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const target = new URL(link.href);
    if (target.origin !== location.origin || link.target || link.hasAttribute("download") || !find(target.pathname)) return;
    if (target.hash && target.pathname === location.pathname) return;
    event.preventDefault();
    go(target.pathname + target.search + target.hash);
  });
}
