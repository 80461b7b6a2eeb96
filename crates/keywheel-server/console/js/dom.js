// Makes elements. Text is always text: nothing here, or anywhere in the console, takes markup (the policy of the page
// forbids it as well).

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element: `h("a.button", {href: "/x", onclick: go, hidden: false}, "Text", child, null, [more])`.
 * Classes may follow the tag. Properties: `on…` are listeners, `true` is an attribute without value, `false`, `null` and
 * `undefined` leave it out, `dataset` and `style` are objects. Children: nodes, texts, numbers, lists, nothing.
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return filled(document.createElement(name || "div"), classes, properties, children);
}

/** The same for SVG. @returns {SVGElement} */
export function s(tag, properties = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return filled(document.createElementNS(SVG, name), classes, properties, children);
}

/** Puts other children into an element. @returns {Element} the element */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

function filled(element, classes, properties, children) {
  if (classes.length > 0) element.classList.add(...classes);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name === "value" || name === "checked" || name === "indeterminate") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}
