/**
 * Justified rows: pictures of any shape in rows of equal width, from their sizes alone.
 *
 * @typedef {{width: number, height: number}} Sized
 * @typedef {{top: number, height: number, section: number, title: string | null,
 *   cells: {place: number, left: number, width: number}[]}} Row
 */

const NARROWEST = 0.5;
const WIDEST = 3;

/**
 * @param {{title: string | null, items: Sized[]}[]} sections
 * @param {{width: number, target: number, gap: number, title: number, columns?: number}} shape
 *   `target` is the height that rows aim at, `title` that of a section's title; with `columns`
 *   each row has so many pictures.
 * @returns {{rows: Row[], height: number}} `place` counts the pictures of all sections.
 */
export function layout(sections, shape) {
  /** @type {Row[]} */
  const rows = [];
  let top = 0;
  let place = 0;
  sections.forEach(({ title, items }, section) => {
    if (title !== null && items.length) {
      rows.push({ top, height: shape.title, section, title, cells: [] });
      top += shape.title;
    }
    for (const row of broken(items.map(aspect), shape)) {
      rows.push({ top, height: row.height, section, title: null, cells: placed(row, shape, place) });
      place += row.shapes.length;
      top += row.height + shape.gap;
    }
  });
  return { rows, height: top };
}

function aspect({ width, height }) {
  const shape = width > 0 && height > 0 ? width / height : 1;
  return Math.min(WIDEST, Math.max(NARROWEST, shape));
}

/**
 * @param {number[]} shapes
 * @param {{width: number, target: number, gap: number, columns?: number}} room
 */
function broken(shapes, { width, target, gap, columns }) {
  const rows = [];
  let row = [];
  let sum = 0;
  const heightOf = (total, count) => (width - gap * (count - 1)) / total;
  const close = (height, isFull = true) => {
    rows.push({ shapes: row, height: Math.round(height), isFull });
    row = [];
    sum = 0;
  };
  for (const shape of shapes) {
    const without = row.length ? heightOf(sum, row.length) : Infinity;
    const withIt = heightOf(sum + shape, row.length + 1);
    const isNearer = target - withIt > without - target; // without it
    if (!columns && row.length && withIt < target && isNearer) close(without);
    row.push(shape);
    sum += shape;
    const height = heightOf(sum, row.length);
    if (columns ? row.length === columns : height <= target) close(height);
  }
  // Few pictures do not fill a row: they keep the usual height.
  const highest = columns ? width / columns : target;
  if (row.length) close(Math.min(heightOf(sum, row.length), highest), heightOf(sum, row.length) <= highest);
  return rows;
}

function placed({ shapes, height, isFull }, { width, gap }, first) {
  let left = 0;
  return shapes.map((shape, number) => {
    const isLast = isFull && number === shapes.length - 1;
    const cell = { place: first + number, left, width: isLast ? width - left : Math.round(shape * height) };
    left += cell.width + gap;
    return cell;
  });
}

/**
 * The rows that are visible between two heights: the first one, and the one after the last.
 * @param {Row[]} rows
 * @param {number} from
 * @param {number} to
 * @returns {[number, number]}
 */
export function between(rows, from, to) {
  const first = firstAt(rows, ({ top, height }) => top + height >= from);
  const last = firstAt(rows, ({ top }) => top > to);
  return [first, Math.max(first, last)];
}

function firstAt(rows, isReached) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isReached(rows[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * The place that an arrow key leads to.
 * @param {Row[]} rows
 * @param {number} place
 * @param {string} key
 * @returns {number}
 */
export function neighbour(rows, place, key) {
  const filled = rows.filter(({ cells }) => cells.length);
  const last = filled.at(-1)?.cells.at(-1).place ?? 0;
  const row = filled.findIndex(({ cells }) => cells.some((cell) => cell.place === place));
  const step = { ArrowUp: -1, ArrowDown: 1, PageUp: -4, PageDown: 4 }[key];
  if (key === "Home") return 0;
  if (key === "End") return last;
  if (key === "ArrowLeft") return Math.max(0, place - 1);
  if (key === "ArrowRight") return Math.min(last, place + 1);
  if (step === undefined || row < 0) return place;
  const own = filled[row].cells.find((cell) => cell.place === place);
  const other = filled[Math.min(filled.length - 1, Math.max(0, row + step))];
  const middle = own.left + own.width / 2;
  const distance = ({ left, width }) => Math.abs(left + width / 2 - middle);
  return other.cells.reduce((best, cell) => (distance(cell) < distance(best) ? cell : best)).place;
}
