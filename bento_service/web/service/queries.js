/** Pictures that were searched with, kept in this browser under their SHA-256. */

const STORE = "queries";
const KEPT = 40;
const RECENT = 10; // without a database

/**
 * @typedef {{sha256: string, picture: Blob, name: string, at: number}} Kept
 * @type {Map<string, Kept>}
 */
const recent = new Map();

/**
 * Keep a picture.
 * @param {Blob} picture
 * @param {string} name
 * @returns {Promise<string>} Its SHA-256, or a random number where the browser computes none.
 */
export async function keep(picture, name) {
  const sha256 = await digest(picture);
  const kept = { sha256, picture, name, at: Date.now() };
  remember(kept);
  store(kept).catch(() => {}); // without a database it lasts until the page is left
  return sha256;
}

/**
 * @param {string} sha256
 * @returns {Promise<Kept | undefined>}
 */
export async function kept(sha256) {
  if (!recent.has(sha256)) {
    const found = await within("readonly", (store) => store.get(sha256)).catch(() => undefined);
    if (found) remember(found);
  }
  return recent.get(sha256);
}

function remember(kept) {
  recent.set(kept.sha256, kept);
  if (recent.size > RECENT) recent.delete(recent.keys().next().value);
}

/**
 * The SHA-256 of a file in hex.
 * @param {Blob} file
 */
export async function digest(file) {
  // Pages from other machines have it only over HTTPS.
  const bytes = crypto.subtle
    ? new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()))
    : crypto.getRandomValues(new Uint8Array(32));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function store(kept) {
  await within("readwrite", (store) => store.put(kept));
  const all = await within("readonly", (store) => store.index("at").getAllKeys());
  for (const old of all.slice(0, Math.max(0, all.length - KEPT))) {
    await within("readwrite", (store) => store.delete(old));
  }
}

async function within(mode, ask) {
  const database = await opened();
  return await answered(ask(database.transaction(STORE, mode).objectStore(STORE)));
}

/** @type {Promise<IDBDatabase> | undefined} */
let opening;

function opened() {
  opening ??= new Promise((done, fail) => {
    const request = indexedDB.open("lookalike", 1);
    request.onupgradeneeded = () => {
      const made = request.result.createObjectStore(STORE, { keyPath: "sha256" });
      made.createIndex("at", "at");
    };
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
  return opening;
}

function answered(request) {
  return new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}
