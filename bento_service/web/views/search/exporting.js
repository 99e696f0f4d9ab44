/** Results as a file. */

const FIELDS = ["rank", "image_id", "score", "verdict", "name", "source", "width", "height", "content_url"];

/**
 * Let the browser save results.
 * @param {"json" | "csv"} kind
 * @param {import("../../service/api.js").Hit[]} hits
 * @param {string} collection
 */
export function exported(kind, hits, collection) {
  const absolute = hits.map((hit) => ({
    ...hit,
    content_url: new URL(hit.content_url.replace(/^\//, ""), document.baseURI).href,
    thumbnail_url: undefined,
  }));
  const text = kind === "json" ? JSON.stringify(absolute, null, 1) : csv(absolute);
  const type = kind === "json" ? "application/json" : "text/csv";
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: `${collection}-results.${kind}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Rows for spreadsheets, which must not take a name for a formula.
 * @param {Record<string, any>[]} hits
 */
export function csv(hits) {
  const keys = [...new Set(hits.flatMap(({ metadata }) => Object.keys(metadata)))];
  const row = (hit) => [...FIELDS.map((field) => hit[field]), ...keys.map((key) => hit.metadata[key])];
  const head = [...FIELDS, ...keys.map((key) => `metadata.${key}`)];
  return [head, ...hits.map(row)].map((cells) => cells.map(quoted).join(",")).join("\r\n");
}

function quoted(value) {
  if (value === undefined || value === null) return "";
  if (typeof value === "number") return String(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `"${text.replace(/^(?=[=+\-@\t\r])/, "'").replaceAll('"', '""')}"`;
}
