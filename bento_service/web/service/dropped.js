/** Dropped files, and the files inside dropped folders. */

/**
 * The dropped things. They can only be asked for while the drop event is being handled.
 * @param {DataTransfer} transfer
 * @returns {{entry: FileSystemEntry | null, file: File | null}[]}
 */
export function thingsIn(transfer) {
  return [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
}

/**
 * Every file among dropped things, folders walked to the bottom, and the names of the files and
 * folders that cannot be read.
 * @param {{entry: FileSystemEntry | null, file: File | null}[]} things
 * @returns {Promise<{files: import("./parcels.js").Picture[], unreadable: string[]}>}
 */
export async function filesOf(things) {
  const found = { files: [], unreadable: [] };
  for (const { entry, file } of things) {
    if (entry?.isDirectory) await collect(entry, found);
    else if (file) found.files.push({ file, path: file.name });
  }
  return found;
}

async function collect(entry, found) {
  try {
    if (entry.isDirectory) await walk(entry, found);
    else found.files.push({ file: await opened(entry), path: entry.fullPath.replace(/^\//, "") });
  } catch {
    found.unreadable.push(entry.name);
  }
}

async function walk(folder, found) {
  const reader = folder.createReader();
  // A reader gives its folder in portions, and an empty one at the end.
  for (;;) {
    const portion = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (portion.length === 0) return;
    for (const entry of portion) await collect(entry, found);
  }
}

function opened(entry) {
  return new Promise((done, fail) => entry.file(done, fail));
}
