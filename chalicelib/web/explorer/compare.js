// What is different between the page of items that is shown and the one that was read after it.

import {firstName, parseList} from './paths.js';

/** @type {{[operation: string]: Mark}} */
const MARKS_OF_NEW = {insert: 'inserted', modify: 'entered'};
/** @type {{[operation: string]: Mark}} */
const MARKS_OF_GONE = {remove: 'removed', modify: 'left'};

/**
 * Return whether two values are the same. The order of a set means nothing.
 *
 * @param {Attribute | undefined} one
 * @param {Attribute | undefined} other
 */
export const sameValue = (one, other) => comparable(one) === comparable(other);

/** @type {(attribute: Attribute | undefined) => string} */
const comparable = attribute =>
  JSON.stringify(attribute, (key, value) => (Array.isArray(value) && /^[SNB]S$/.test(key) ? value.toSorted() : value));

/**
 * Return the columns for these items: those that were there before, and what the items add. With `fields`, the text
 * of `_fields`, they add only the attributes that it names.
 *
 * @param {string[]} before the key first
 * @param {Item[]} items
 * @param {string} fields
 */
export function columnsFor(before, items, fields) {
  const named = fields && new Set(parseList(fields).map(firstName));
  const columns = new Set(before);
  for (const name of attributeNames(items)) if (!named || named.has(name)) columns.add(name);
  return [...columns];
}

/**
 * Return the names of all attributes of the items, each once.
 *
 * @param {Item[]} items
 */
export const attributeNames = items => new Set(items.flatMap(item => Object.keys(item)));

/**
 * Compare what is shown with what was read. An item that came or went is marked only where a change of it is known: a
 * page that another item shifted also has items come and go.
 *
 * @param {Map<string, {item: Item}>} shown by identity
 * @param {Map<string, Item>} read by identity
 * @param {string[]} columns
 * @param {Map<string, Operation>} operations the changes since what is shown, by identity
 * @returns {{gone: Map<string, Mark | undefined>, marks: Map<string, Mark>, changed: Map<string, Set<string>>}}
 *   the items that are no longer there and those to mark, each by identity, and the names of changed attributes
 */
export function comparePages(shown, read, columns, operations) {
  const gone = new Map();
  const marks = new Map();
  const changed = new Map();
  const operationOn = (/** @type {string} */ id) => operations.get(id) ?? '';
  for (const id of shown.keys()) if (!read.has(id)) gone.set(id, MARKS_OF_GONE[operationOn(id)]);
  for (const [id, item] of read) {
    const before = shown.get(id)?.item;
    const names = before ? changedNames(before, item, columns) : [];
    if (names.length) changed.set(id, new Set(names));
    const mark = before ? names.length && 'changed' : MARKS_OF_NEW[operationOn(id)];
    if (mark) marks.set(id, mark);
  }
  return {gone, marks, changed};
}

/** @type {(before: Item, after: Item, columns: string[]) => string[]} */
const changedNames = (before, after, columns) => columns.filter(name => !sameValue(before[name], after[name]));
