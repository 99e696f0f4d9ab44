/** One found picture: what it is, how near it is, and what can be done with it. */

import * as api from "./api.js";
import { fromTemplate, showText } from "./dom.js";

const SIZES = [256, 512];

/**
 * A card for a hit.
 * @param {import("./api.js").Hit} hit
 * @param {object} wiring
 * @param {(hit: import("./api.js").Hit) => void} wiring.onMore Search with this picture.
 * @param {(hit: import("./api.js").Hit) => Promise<void>} wiring.onDelete Delete it.
 */
export function hitCard(hit, { onMore, onDelete }) {
  const card = fromTemplate("hit-template");
  const part = (name) => card.querySelector(`.${name}`);
  part("hit-link").href = api.relative(hit.content_url);
  part("hit-name").textContent = hit.name;
  part("hit-name").title = hit.name;
  part("hit-source").textContent = placeOf(hit);
  part("hit-source").title = `${hit.source} · ${hit.width} × ${hit.height}`;
  part("score-value").textContent = hit.score.toFixed(3);
  part("score-bar").firstElementChild.style.width = `${100 * Math.max(0, hit.score)}%`;
  fillPicture(part, hit);
  part("hit-more").setAttribute("aria-label", `More like this: ${hit.name}`);
  part("hit-more").addEventListener("click", () => onMore(hit));
  installDelete(part, hit, onDelete);
  return card;
}

/** The folders that a picture lies in, the last two of many; its name stands above. */
function placeOf({ source }) {
  const folders = source.split("/").slice(0, -1);
  if (folders.length === 0) return "uploaded"; // a file has an image root before its first slash
  return folders.length > 2 ? `…/${folders.slice(-2).join("/")}` : folders.join("/");
}

function fillPicture(part, hit) {
  const image = part("hit-picture").querySelector("img");
  image.addEventListener("error", () => {
    image.hidden = true;
    part("hit-gone").hidden = false;
  });
  const thumbnail = api.relative(hit.thumbnail_url);
  const [usual, fine] = SIZES.map((size) => `${thumbnail}?size=${size}`);
  image.srcset = `${usual} 1x, ${fine} 2x`;
  image.src = usual;
}

function installDelete(part, hit, onDelete) {
  const [opener, panel] = [part("hit-delete"), part("confirm")];
  const [yes, no] = [part("confirm-delete"), part("confirm-keep")];
  opener.setAttribute("aria-label", `Delete ${hit.name}`);
  panel.setAttribute("aria-label", `Delete ${hit.name}?`);
  part("confirm-question").textContent = `Delete ${hit.name} from the collection?`;
  const ask = (isAsking) => {
    showText(part("confirm-problem"), "");
    panel.hidden = !isAsking;
    for (const covered of panel.parentElement.children) {
      covered.inert = isAsking && covered !== panel;
    }
    (isAsking ? no : opener).focus();
  };
  const close = () => ask(false);
  opener.addEventListener("click", () => ask(true));
  no.addEventListener("click", close);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
  yes.addEventListener("click", async () => {
    yes.disabled = true;
    try {
      await onDelete(hit);
    } catch (problem) {
      showText(part("confirm-problem"), problem.message);
    } finally {
      yes.disabled = false;
    }
  });
}
