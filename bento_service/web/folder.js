/** Indexing a folder that the service can read. */

import * as api from "./api.js";
import { byId, showText, textElement } from "./dom.js";

/**
 * Offer the image roots and start jobs in them.
 * @param {object} wiring
 * @param {string[]} wiring.roots Names of the image roots.
 * @param {() => string} wiring.collection Where pictures go.
 * @param {(job: import("./api.js").Job) => void} wiring.onJob
 */
export function installFolder({ roots, collection, onJob }) {
  offer(roots);
  byId("folder-start").disabled = false;
  byId("folder-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = byId("folder-start");
    if (button.disabled) return;
    button.disabled = true;
    showText(byId("folder-problem"), "");
    try {
      onJob(await api.trainFolder(requested(collection())));
    } catch (problem) {
      showText(byId("folder-problem"), problem.message);
    } finally {
      button.disabled = false;
    }
  });
}

function offer(roots) {
  byId("folder-form").hidden = roots.length === 0;
  byId("folder-none").hidden = roots.length > 0;
  byId("folder-root").replaceChildren(...roots.map((name) => textElement("option", name)));
}

function requested(collection) {
  const path = byId("folder-path").value.trim();
  return { path: path || ".", root: byId("folder-root").value, collection };
}
