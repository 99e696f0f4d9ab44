/**
 * Elements as a function of state: `h` describes them, and `patch` changes the document to match.
 * Text only ever becomes text nodes.
 *
 * @typedef {{tag: string, key: string | number | undefined, props: Record<string, any>,
 *   children: Described[]}} Element_
 * @typedef {Element_ | string} Described
 * @typedef {{described: Described, node: any}} Shown
 */

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "rect", "circle", "line", "g"]);
/** @type {WeakMap<Node, Shown[]>} */
const shown = new WeakMap();
const EMPTY = Object.freeze({});

/**
 * Describe an element. Properties: `key` identifies it among its siblings; `onclick` and so on are
 * listeners; `.name` sets a property of the DOM object; `ref` is called with the new element and
 * `gone` with one that goes; every other one is an attribute, absent for `false`, `null` and
 * `undefined`.
 *
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...any} children Descriptions, texts, numbers, or lists of them; nothing for `null`,
 *   `undefined` and `false`.
 * @returns {Element_}
 */
export function h(tag, properties, ...children) {
  const { key, ...props } = properties ?? EMPTY;
  return { tag, key, props, children: flat(children) };
}

/**
 * Make the children of an element match their descriptions.
 * @param {Element | ShadowRoot} parent An element whose children nobody else changes.
 * @param {any[]} list
 */
export function patch(parent, list) {
  update(parent, flat(list));
}

function flat(children) {
  const kept = [];
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === true) continue;
    kept.push(typeof child === "object" ? child : String(child));
  }
  return kept;
}

function update(parent, list) {
  const before = shown.get(parent) ?? [];
  const left = new Map(before.map((one, place) => [identity(one.described, place), one]));
  const now = list.map((described, place) => {
    const same = identity(described, place);
    const one = left.get(same);
    if (!one) return made(described);
    left.delete(same);
    return renewed(one, described);
  });
  for (const one of left.values()) {
    leave(one);
    one.node.remove();
  }
  now.forEach(({ node }, place) => {
    const present = parent.childNodes[place];
    if (present !== node) parent.insertBefore(node, present ?? null);
  });
  shown.set(parent, now);
}

function leave({ described, node }) {
  for (const child of shown.get(node) ?? []) leave(child);
  described.props?.gone?.(node);
}

/** Return the same identity for two descriptions of one element, before and after a change. */
function identity(described, place) {
  if (typeof described === "string") return `text ${place}`;
  return `${described.tag} ${described.key === undefined ? `at ${place}` : `is ${described.key}`}`;
}

function made(described) {
  if (typeof described === "string") return { described, node: document.createTextNode(described) };
  const node = SVG_TAGS.has(described.tag)
    ? document.createElementNS(SVG, described.tag)
    : document.createElement(described.tag);
  // A select takes its value from its options, so children come first.
  update(node, described.children);
  setAll(node, EMPTY, described.props);
  described.props.ref?.(node);
  return { described, node };
}

function renewed(one, described) {
  if (typeof described === "string") {
    if (one.described !== described) one.node.data = described;
  } else if (one.described !== described) {
    if (described.children.length || one.described.children.length) {
      update(one.node, described.children);
    }
    setAll(one.node, one.described.props, described.props);
  }
  one.described = described;
  return one;
}

function setAll(node, before, now) {
  for (const name in before) if (!(name in now)) set(node, name, before[name], undefined);
  for (const name in now) {
    // People change these values themselves; what they are typing stays until the value changes.
    const isLive = name === ".checked" || (name === ".value" && node !== document.activeElement);
    const is = isLive ? node[name.slice(1)] : before[name];
    if (is !== now[name]) set(node, name, before[name], now[name]);
  }
}

function set(node, name, before, value) {
  if (name === "ref" || name === "gone") return;
  if (name.startsWith("on")) {
    if (before) node.removeEventListener(name.slice(2), before);
    if (value) node.addEventListener(name.slice(2), value);
  } else if (name === "style") {
    node.style.cssText = value ?? ""; // the page's policy refuses style attributes
  } else if (name.startsWith(".")) {
    node[name.slice(1)] = value;
  } else if (value === undefined || value === null || value === false) {
    node.removeAttribute(name);
  } else {
    node.setAttribute(name, value === true ? "" : value);
  }
}
