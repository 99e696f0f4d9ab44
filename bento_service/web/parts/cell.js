/** A picture in a grid: a link with a badge, a name, and actions that show on hover or focus. */

import * as api from "../service/api.js";
import { h } from "../view.js";
import { shortened } from "../words/words.js";
import { icon } from "./icons.js";

const AGAIN_MS = 1500;
const TRIES = 3;
/** @type {Map<string, number>} How often a picture was tried again. */
const tries = new Map();
/** @type {Promise<any> | null} */
let asking = null;

/**
 * @param {import("../app.js").App} app
 * @param {{image: {thumbnail_url: string, name: string}, id: number, focus: any, wide: number,
 *   label: string, href?: string, badge?: any, isChosen?: boolean, onclick?: (event: MouseEvent) => void,
 *   actions?: {icon: any, label: string, act: (event: MouseEvent) => void}[]}} shown
 */
export function picture(app, { image, id, focus, wide, label, href, badge, isChosen, onclick, actions = [] }) {
  return [
    h("a", {
      ...focus, key: "link", href: href ?? app.href({ image: id }), class: "picture", "aria-label": label,
      onclick: onclick ?? ((event) => follow(event, () => app.go({ image: id }))),
    },
      h("img", { src: api.thumbnail(image, wide), alt: "", decoding: "async", draggable: "false", onerror: broken }),
      badge),
    h("span", { key: "name", class: "caption", "aria-hidden": "true" }, shortened(image.name)),
    h("span", { key: "actions", class: "actions" }, actions.map((action) =>
      h("button", { key: action.icon, tabindex: -1, "aria-label": action.label, title: action.label, onclick: action.act },
        icon(action.icon)))),
    isChosen && h("span", { key: "chosen", class: "chosen", "aria-hidden": "true" }, icon("check")),
  ];
}

/** Do something instead of following a link, unless it is to open elsewhere. */
export function follow(event, act) {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  act();
}

/** Load the pictures that did not load, as the service is well again. */
export function reloadBroken() {
  tries.clear();
  for (const image of document.querySelectorAll("img.broken")) again(image);
}

/** Try a picture that did not load some more times, after the service or the session is well again. */
async function broken({ target }) {
  target.classList.add("broken");
  const number = (tries.get(target.src) ?? 0) + 1;
  if (number > TRIES) return;
  tries.set(target.src, number);
  asking ??= ready();
  await asking;
  asking = null;
  again(target);
}

/** Wait some time, and as long as a service with a limit of requests asks for. */
async function ready(seconds = 0) {
  await new Promise((done) => setTimeout(done, AGAIN_MS + 1000 * seconds));
  try {
    await api.info();
  } catch (problem) {
    if (problem.status === 429) await ready(problem.retryAfter);
  }
}

function again(image) {
  image.classList.remove("broken");
  image.src = image.src;
}
