// What surrounds every page: the name, the navigation, who is signed in. It stays while pages come and go.

import { api, SESSION } from "./api.js";
import { h } from "./dom.js";
import { notify } from "./ui.js";

const PLACES = [
  ["/", "Overview"],
  ["/rotations", "Rotations"],
  ["/connections", "Connections"],
  ["/secrets", "Secrets"],
  ["/access", "Access"],
  ["/audit", "Audit log"],
  ["/settings", "Settings"],
];

/** The name of the product with its sign. */
export function brand() {
  return h("a.name", { href: "/" }, h("img", { src: "/console/icon.svg", alt: "" }), "Keywheel");
}

async function signOut() {
  try {
    await api.delete(SESSION);
    location.assign("/");
  } catch (fault) {
    notify(`You are still signed in. ${fault.message}`, "bad");
  }
}

/**
 * The frame around the content of pages.
 * @returns {{nodes: Node[], mark: () => void}} its nodes, and what marks the place where the person is
 */
export function shell(session, main) {
  const links = PLACES.map(([path, name]) => h("a", { href: path }, name));
  const docs = h("a", { href: "/api/docs", target: "_blank", rel: "noopener" }, "API docs", h("span.sr", {}, " (new tab)"), h("span", { "aria-hidden": "true" }, " ↗"));
  const side = h("div.side", {},
    h("header.top", {}, brand(), h("span.organization", {}, session.organization?.name ?? "")),
    h("nav.places", { "aria-label": "Main" }, h("ul", {}, [...links, h("a", { href: "/help" }, "Help"), docs].map((link) => h("li", {}, link)))),
    h("section.who", { "aria-label": "Account" },
      h("span", {}, session.account.email),
      h("button.quiet.small", { type: "button", onclick: signOut }, "Sign out")),
  );
  const places = [...side.querySelectorAll(".places a:not([target])")];
  function mark() {
    const here = location.pathname;
    for (const link of places) {
      const path = link.getAttribute("href");
      const isHere = path === "/" ? here === "/" : here === path || here.startsWith(`${path}/`);
      if (isHere) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
      if (isHere) link.scrollIntoView({ block: "nearest", inline: "center" });
    }
  }
  return { nodes: [side, main], mark };
}
