// The table of items: its rows, and the marks of what has changed.

import {formatAddress} from './address.js';
import {fillCell} from './cells.js';
import {attributeNames, columnsFor, comparePages} from './compare.js';
import {announce, byId, el} from './dom.js';
import {identity, keyNames, keyPairs} from './schema.js';
import {visible} from './text.js';
import {typeAndValue} from './values.js';
import {control, seenNames, view} from './view.js';

/** @type {{[mark in Mark]: string}} */
const MARK_TEXTS = {
  inserted: 'new',
  entered: 'came in',
  changed: 'changed',
  removed: 'removed',
  left: 'left this view',
};
// Rows that are shown for a while although their items are no longer there.
const GONE = new Set(['removed', 'left']);

const MARK_SECONDS = 20;
const ROWS_AT_ONCE = 20;
// A screen reader hears of changes no more often than this.
const ANNOUNCE_SECONDS = 10;
let announceFrom = 0;

/**
 * Show the items of a new view. A long page is shown bit by bit, so that a key or a click never waits for it.
 *
 * @param {Item[]} items
 */
export async function showItems(items) {
  const current = view;
  const rows = new Map();
  byId('page').replaceChildren();
  setColumns(items);
  for (const [place, item] of items.entries()) {
    const row = newRow(item);
    writeCells(row);
    byId('page').append(row.tr);
    rows.set(identity(item), row);
    if (place % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) {
      await new Promise(done => setTimeout(done));
      if (view !== current) return;
    }
  }
  current.rows = rows;
}

/**
 * Show the items that the view has now, and mark what is new, changed or gone.
 *
 * @param {Item[]} items
 * @param {Map<string, Operation>} operations the changes since the view was read, by identity
 */
export function updateItems(items, operations) {
  const shown = view.rows;
  const read = new Map(items.map(item => [identity(item), item]));
  setColumns(items);
  const {gone, marks, changed} = comparePages(shown, read, view.columns, operations);
  for (const [id, mark] of gone) {
    if (mark) markRow(shown.get(id), mark);
    else shown.get(id)?.tr.remove();
  }
  view.rows = placeRows(read, shown, changed);
  for (const [id, mark] of marks) markRow(view.rows.get(id), mark);
  announceMarks([...gone.values(), ...marks.values()]);
}

/** @type {(items: Item[]) => void} */
function setColumns(items) {
  for (const name of attributeNames(items)) seenNames.add(name);
  const before = view.columns;
  view.columns = columnsFor(before.length ? before : keyNames(), items, control('_fields'));
  if (view.columns.length === before.length) return;
  byId('columns').replaceChildren(...view.columns.map(name => el('th', {scope: 'col'}, name)));
}

/** @type {(item: Item) => Row} */
function newRow(item) {
  const partition = visible(typeAndValue(item[keyNames()[0]])[1]);
  const link = el('a', {href: `#${formatAddress('item', keyPairs(item))}`}, partition);
  return {tr: el('tr', {}, el('th', {scope: 'row'}, link)), item, names: [], timer: undefined};
}

// Writes the cells that are not there yet, show another attribute, or have changed.
/** @type {(row: Row, changed?: Set<string>) => void} */
function writeCells({tr, item, names}, changed) {
  for (const [place, name] of view.columns.slice(1).entries()) {
    if (names[place] === name && !changed?.has(name)) continue;
    const td = tr.cells[place + 1] ?? tr.appendChild(el('td'));
    names[place] = name;
    fillCell(td, item[name]);
    if (changed?.has(name)) td.classList.add('hot');
  }
}

// Brings the rows into the order of `read`: those that are in their place stay untouched, and with them the focus.
/** @type {(read: Map<string, Item>, shown: Map<string, Row>, changed: Map<string, Set<string>>) => Map<string, Row>} */
function placeRows(read, shown, changed) {
  const rows = new Map();
  let previous = null;
  for (const [id, item] of read) {
    const row = shown.get(id) ?? newRow(item);
    row.item = item;
    writeCells(row, changed.get(id));
    const next = nextRow(previous, row.tr);
    if (next !== row.tr) byId('page').insertBefore(row.tr, next);
    previous = row.tr;
    rows.set(id, row);
  }
  return rows;
}

// Returns what follows the row before, past rows whose items are gone, but not past `wanted`.
/** @type {(previous: Element | null, wanted: Element) => Element | null} */
function nextRow(previous, wanted) {
  let next = previous ? previous.nextElementSibling : byId('page').firstElementChild;
  while (next && next !== wanted && GONE.has(next.getAttribute('data-mark') ?? '')) next = next.nextElementSibling;
  return next;
}

/** @type {(row: Row | undefined, mark: Mark) => void} */
function markRow(row, mark) {
  if (!row) return;
  row.tr.dataset.mark = mark;
  row.tr.querySelector('.badge')?.remove();
  row.tr.cells[0].prepend(el('span', {class: 'badge'}, MARK_TEXTS[mark]));
  clearTimeout(row.timer);
  row.timer = setTimeout(() => unmarkRow(row.tr), MARK_SECONDS * 1000);
}

/** @type {(tr: HTMLTableRowElement) => void} */
function unmarkRow(tr) {
  if (GONE.has(tr.dataset.mark ?? '')) {
    tr.remove();
    return;
  }
  delete tr.dataset.mark;
  tr.querySelector('.badge')?.remove();
  for (const td of tr.querySelectorAll('.hot')) td.classList.remove('hot');
}

/** @type {(marks: (Mark | undefined)[]) => void} */
function announceMarks(marks) {
  /** @type {Map<Mark, number>} */
  const counts = new Map();
  for (const mark of marks) if (mark) counts.set(mark, (counts.get(mark) ?? 0) + 1);
  if (!counts.size || Date.now() <= announceFrom) return;
  announceFrom = Date.now() + ANNOUNCE_SECONDS * 1000;
  announce([...counts].map(([mark, count]) => `${count} ${MARK_TEXTS[mark]}`).join(', '));
}
