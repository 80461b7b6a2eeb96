// The generated credentials: shown on a click, and not for long.

import { api } from "../api.js";
import { fill, h } from "../dom.js";
import { badge, busy, copyable } from "../ui.js";
import { addressOf } from "./api.js";

/** How long secrets stay on the screen, in seconds. */
const SHOWN_SECONDS = 60;

/** The part of the page with the button that shows them. */
export function credentials({ rotation, signal }) {
  const place = h("div.stack", { "aria-live": "polite" });
  let timer = 0;
  const hide = () => {
    clearInterval(timer);
    fill(place, closed());
  };
  signal.addEventListener("abort", hide);

  function closed() {
    const button = h("button", { type: "button", async onclick() {
      try {
        const found = await busy(button, "Reading …", () => api.get(addressOf(rotation.id, "generated-credentials")));
        open(found);
      } catch (fault) {
        fill(place, closed(), h("p.fault", { role: "alert" }, fault.message));
      }
    } }, "Show the credentials");
    return [h("p.faint", {}, `Showing them is written to the audit log. They are hidden again after ${SHOWN_SECONDS} seconds.`), button];
  }

  function open({ generatedCredentials, activeIndex }) {
    let left = SHOWN_SECONDS;
    const rest = h("span.faint", { "aria-hidden": "true" });
    const count = () => {
      if (left <= 0) return hide();
      rest.textContent = `hidden in ${left} s`;
      left -= 1;
      return undefined;
    };
    fill(place,
      generatedCredentials.map((pair, index) => h("div", {},
        h("h3", {}, index === activeIndex ? badge("ok", "Published") : badge("idle", "Previous")),
        pair.secretAccessKey
          ? copyable(`${pair.accessKeyId}\n${pair.secretAccessKey}`, "Copy both")
          : h("p", {}, h("code", {}, pair.accessKeyId), " is gone at AWS, and its secret is erased."))),
      h("p.row", {}, h("button", { type: "button", onclick: hide }, "Hide"), rest));
    count();
    timer = setInterval(count, 1_000);
    place.querySelector("button").focus();
  }

  fill(place, closed());
  return place;
}
