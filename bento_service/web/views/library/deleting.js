/** Deleting pictures of the library. */

import * as api from "../../service/api.js";
import { t } from "../../words/words.js";

/**
 * Delete some pictures; that can be undone for ten seconds.
 * @param {import("../../app.js").App} app
 * @param {import("./listing.js").Listing} listing
 * @param {number[]} ids
 */
export function removeChosen(app, listing, ids) {
  listing.clear();
  app.removals.remove(app.state.route.c, ids);
}

/**
 * Delete all pictures, or all that pass the filter, after their number was typed.
 * @param {import("../../app.js").App} app
 * @param {import("./listing.js").Listing} listing
 */
export async function removeAll(app, listing) {
  const { c: collection, f: filter } = app.state.route;
  await app.attempt(async () => {
    const n = await api.count({ collection, ...(filter ? { filter } : {}) });
    const isSure = await app.confirm({
      title: t(filter ? "library.delete-filtered" : "library.delete-all"),
      text: t("library.delete-all.text", { n }),
      action: t("delete"),
      typed: String(n),
    });
    if (!isSure) return;
    const { deleted } = await api.remove(filter ? { collection, filter } : { collection, all: true });
    app.say(t("delete.done", { n: deleted }));
    app.views.outdate();
    listing.clear();
    listing.follow(app.state.route, true);
    await app.refresh();
  });
}
