// A new connection, step by step: first what AWS has to allow, then the credentials.

import { api } from "../api.js";
import { h, fill } from "../dom.js";
import { allProjects, nested, text } from "../parts.js";
import { go } from "../router.js";
import { callout, card, choices, field, form, heading, notify, select } from "../ui.js";
import { credentialsOf, METHODS, policies } from "./connection_parts.js";

/** The better one first. */
const METHODS_OFFERED = ["assume-role", "access-key"].map((name) => [name, METHODS[name].title, METHODS[name].note]);

const EVERYBODY = "Members make projects, can rotate any user there that it reaches, and read the new keys: with user/* also keys of administrators. Limit its policy to the users that may be rotated, or make it for one project.";

/** The guided form. */
export async function render({ query }) {
  const projects = await allProjects();
  let [[method]] = METHODS_OFFERED;
  const scope = select("projectId", [["", "The whole organization"], ...projects.map(({ id, name }) => [id, `Only ${name}`])], query.get("projectId") ?? "");
  const shown = policies(() => ({ projectId: scope.value }), () => method);
  const credentials = h("div", {}, METHODS[method].fields());
  const broad = h("div", { "aria-live": "polite" });
  const warn = () => fill(broad, !scope.value && callout("warn", "Every member of the organization can use it", h("p", {}, EVERYBODY)));
  warn();
  scope.addEventListener("change", warn);
  scope.addEventListener("change", shown.reload);
  const choose = (name) => {
    method = name;
    fill(credentials, METHODS[name].fields());
    shown.reload();
  };
  const create = async (values) => {
    const { appConnection } = await api.post("/api/v1/app-connections/aws", {
      name: values.name,
      description: values.description || null,
      method,
      projectId: values.projectId || null,
      credentials: credentialsOf(values),
    });
    notify(`${appConnection.name} works`);
    go(`/connections/${appConnection.id}`);
  };
  return [
    heading("New connection"),
    form({
      content: h("div.stack", {},
        card("1. How Keywheel signs in", choices("method", "Method", METHODS_OFFERED, method, choose)),
        card("2. Who may use it",
          field("For", scope, "A connection of a project is seen and used in that project only."),
          broad),
        card("3. What AWS has to allow",
          h("p", {}, "Paste this in the IAM console of the account, then come back."), shown.place),
        card("4. Name and credentials",
          text("name", "Name", { required: true, placeholder: "billing-prod", hint: "Lowercase letters, digits and hyphens." }),
          text("description", "Description", { maxlength: 256 }),
          credentials,
          h("p.hint", {}, "AWS is asked before anything is kept.")),
      ),
      button: "Create the connection",
      waiting: "Asking AWS …",
      act: (values) => create(nested(values)),
    }),
  ];
}
