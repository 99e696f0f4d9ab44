/** Dropping files on the page: a layer shows where they would go. */

import { byId } from "./dom.js";
import { thingsIn } from "./dropped.js";

/**
 * Listen for drops anywhere on the page.
 * @param {object} wiring
 * @param {() => boolean} wiring.offersAdding Whether pictures can be added where the user is.
 * @param {(things: ReturnType<typeof thingsIn>) => void} wiring.onSearch
 * @param {(things: ReturnType<typeof thingsIn>) => void} wiring.onAdd
 */
export function installDrop({ offersAdding, onSearch, onAdd }) {
  const layer = byId("drop-layer");
  const hide = () => (layer.hidden = true);

  document.addEventListener("dragenter", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    layer.classList.toggle("offers-adding", offersAdding());
    layer.hidden = false;
    point(layer, event.target);
  });
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    point(layer, event.target);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) hide();
  });
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    hide();
    const things = thingsIn(event.dataTransfer);
    if (things.length === 0) return;
    if (targetOf(event.target) === "add" && offersAdding()) onAdd(things);
    else onSearch(things);
  });
}

function carriesFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

function targetOf(node) {
  return node instanceof Element ? node.closest("[data-drop]")?.getAttribute("data-drop") : null;
}

function point(layer, node) {
  const target = targetOf(node);
  for (const place of layer.children) {
    place.classList.toggle("pointed", place.getAttribute("data-drop") === target);
  }
}
