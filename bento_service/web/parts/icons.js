/** Icons drawn with lines of 24 by 24. */

import { h } from "../view.js";

const PATHS = {
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 20 20",
  library: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  duplicates: "M4 4h11v11H4zM9 9h11v11H9z",
  add: "M12 5v14M5 12h14",
  settings: "M4 7h10M18 7h2M14 5v4M4 17h2M10 17h10M6 15v4",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  close: "M6 6l12 12M18 6 6 18",
  crop: "M7 3v14h14M3 7h14v14",
  filter: "M4 6h16M7 12h10M10 18h4",
  export: "M12 4v11M7 10l5 5 5-5M5 20h14",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  more: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 20 20M10.5 8v5M8 10.5h5",
  camera: "M4 8h4l1.5-2h5L16 8h4v11H4zM12 10a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7",
  previous: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  down: "M6 9l6 6 6-6",
  check: "M5 12l5 5 9-10",
  folder: "M3 6h7l2 2h9v11H3z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  help: "M9 9a3 3 0 1 1 4 2.8c-.7.4-1 .9-1 1.7v.5M12 17.5v.5",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
};

/** @param {keyof typeof PATHS} name */
export function icon(name) {
  return h("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" },
    h("path", { d: PATHS[name] }));
}
