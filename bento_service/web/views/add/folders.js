/** The folders that the service may read, as a tree. */

import * as api from "../../service/api.js";
import { icon } from "../../parts/icons.js";
import { h } from "../../view.js";
import { t } from "../../words/words.js";

/**
 * A folder of the tree; `folders` is absent until it was opened.
 * @typedef {{root: string, path: string, name: string, isOpen: boolean, isAway?: boolean,
 *   files?: number, folders?: Folder[], cursor?: string | null}} Folder
 */

export class Folders {
  initial = { roots: null, chosen: null };

  /** @param {import("../../app.js").App} app */
  constructor(app) {
    this.app = app;
  }

  /** Ask for the roots, once. */
  async begin() {
    if (this.app.state.folders.roots || !this.app.can("train")) return;
    await this.app.attempt(async () => {
      const roots = await api.roots();
      this.app.changeIn("folders", { roots: roots.map(({ name, available }) => ({ root: name, path: "", name, isOpen: false, isAway: !available })) });
    });
  }

  render() {
    const { roots, chosen } = this.app.state.folders;
    if (!roots) return h("p", { key: "folders", class: "hint" }, t("loading"));
    if (!roots.length) return h("p", { key: "folders", class: "hint" }, t("add.no-folders"));
    return h("div", { key: "folders", class: "folders" },
      h("ul", { role: "tree", "aria-label": t("add.folders"), onkeydown: (event) => this.#key(event) },
        roots.map((folder, place) => this.#item(folder, 1, place === 0))),
      chosen && h("div", { key: "chosen", class: "preview" },
        h("p", null, h("strong", null, [chosen.root, chosen.path].filter(Boolean).join("/")),
          chosen.files !== undefined && ` · ${t("add.files-here", { n: chosen.files })}`),
        h("div", { class: "buttons left" },
          h("button", { class: "primary", onclick: () => this.#train(false) }, t("preview.add-folder")),
          h("button", { onclick: () => this.#train(true) }, t("preview.look")))));
  }

  #item(folder, level, isFirst = false) {
    const { chosen } = this.app.state.folders;
    const isChosen = chosen?.root === folder.root && chosen.path === folder.path;
    const hasStop = isChosen || (!chosen && isFirst);
    return h("li", {
      key: `${folder.root}/${folder.path}`, role: "treeitem", "aria-level": level, "aria-selected": String(isChosen),
      "aria-expanded": folder.folders?.length === 0 ? undefined : String(folder.isOpen), tabindex: hasStop ? 0 : -1,
      "data-root": folder.root, "data-path": folder.path, "aria-label": folder.name, "aria-disabled": folder.isAway && "true",
    },
      h("div", { class: "folder", onclick: () => this.#toggle(folder) },
        icon(folder.isOpen ? "down" : "next"), icon("folder"), h("span", null, folder.name),
        folder.isAway && h("span", { class: "hint" }, t("add.away"))),
      folder.isOpen && folder.folders && h("ul", { role: "group" },
        folder.folders.map((below) => this.#item(below, level + 1)),
        folder.cursor && h("li", { key: "more", role: "none" }, h("button", { onclick: () => this.#load(folder) }, t("run.more-errors")))));
  }

  async #toggle(folder) {
    if (folder.isAway) return;
    const isOpen = !folder.isOpen || this.#chosen() !== folder;
    this.#renew({ ...folder, isOpen }, true);
    if (!folder.folders) await this.#load({ ...folder, isOpen });
  }

  #chosen() {
    const { chosen } = this.app.state.folders;
    return chosen && this.#find(chosen.root, chosen.path);
  }

  async #load(folder) {
    await this.app.attempt(async () => {
      const found = await api.entries(folder.root, folder.path, folder.cursor);
      const folders = found.folders.map(({ name }) => ({
        root: folder.root, path: [folder.path, name].filter(Boolean).join("/"), name, isOpen: false,
      }));
      this.#renew({ ...folder, files: found.files, folders: [...(folder.folders ?? []), ...folders], cursor: found.next_cursor });
    });
  }

  /** Put a changed folder into the tree. */
  #renew(changed, isChosen = false) {
    const put = (folder) => {
      if (folder.root !== changed.root) return folder;
      if (folder.path === changed.path) return changed;
      return folder.folders ? { ...folder, folders: folder.folders.map(put) } : folder;
    };
    const { roots, chosen } = this.app.state.folders;
    const isNow = isChosen || (chosen?.root === changed.root && chosen.path === changed.path);
    this.app.changeIn("folders", { roots: roots.map(put), chosen: isNow ? changed : chosen });
  }

  #find(root, path) {
    const within = (folders) => {
      for (const folder of folders ?? []) {
        if (folder.root !== root) continue;
        if (folder.path === path) return folder;
        const below = within(folder.folders);
        if (below) return below;
      }
      return undefined;
    };
    return within(this.app.state.folders.roots);
  }

  #key(event) {
    const item = event.target.closest("[role=treeitem]");
    if (!item || event.target !== item) return;
    const folder = this.#find(item.dataset.root, item.dataset.path);
    const items = [...event.currentTarget.querySelectorAll("[role=treeitem]")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#move(items[items.indexOf(item) + step]);
    else if (event.key === "ArrowRight" && folder.isOpen) this.#move(items[items.indexOf(item) + 1]);
    else if (event.key === "ArrowRight" || event.key === "Enter" || event.key === " ") this.#toggle(folder);
    else if (event.key === "ArrowLeft" && folder.isOpen) this.#renew({ ...folder, isOpen: false }, true);
    else if (event.key === "ArrowLeft") this.#move(item.parentElement.closest("[role=treeitem]"));
    else if (event.key === "Home") this.#move(items[0]);
    else if (event.key === "End") this.#move(items.at(-1));
    else return;
    event.preventDefault();
  }

  #move(item) {
    if (!item) return;
    const folder = this.#find(item.dataset.root, item.dataset.path);
    this.app.changeIn("folders", { chosen: folder });
    item.focus();
  }

  async #train(isDry) {
    const { chosen } = this.app.state.folders;
    const { c: collection } = this.app.state.route;
    await this.app.attempt(async () => {
      const request = { path: chosen.path || ".", root: chosen.root, collection, ...(isDry ? { dry_run: true } : {}) };
      this.app.watch.add(await api.trainFolder(request));
    });
  }
}
