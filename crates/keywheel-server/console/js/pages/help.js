// What words mean, and why a rotation fails.

import { h } from "../dom.js";
import { FAULTS } from "../faults.js";
import { facts, heading } from "../ui.js";

const WORDS = [
  ["Published", "The key that the two secrets hold now. Programs get it."],
  ["Displaced", "A key whose successor is published. It still works, until it is retired by the policy."],
  ["Inactive", "Switched off at AWS. It can be switched on again by a roll back, until it is deleted."],
  ["Foreign", "A key of the user that Keywheel did not create. It is never changed unless you hand it over."],
  ["Suspect", "A key that may be Keywheel's: its create went unanswered. You decide whose it is."],
  ["Held", "A displaced key that stays until it is released, because somebody still needs it."],
  ["Paused", "Automatic rotation is off. Rotating by hand still works."],
  ["Overdue", "The next rotation should have run an hour ago or more."],
];

export async function render() {
  return [
    heading("Help"),
    h("section.card", {}, h("h2", {}, "Words"), facts(WORDS)),
    h("section.card", {}, h("h2", {}, "Why a rotation failed"),
      h("p", {}, "After a failure the published pair is as it was. A failed attempt of the schedule is repeated with growing distances, at most an hour, until it succeeds or is paused."),
      h("ul.list", {}, Object.entries(FAULTS).map(([code, [meaning, advice]]) =>
        h("li", { id: code }, h("h3", {}, h("code", {}, code)), h("p", {}, meaning), h("p", {}, h("strong", {}, "What to do: "), advice))))),
    h("p", {}, "Programs use the ", h("a", { href: "/api/docs", target: "_blank", rel: "noopener" }, "API"), "."),
  ];
}
