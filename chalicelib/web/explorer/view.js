// The view: the request that is shown, with its columns and rows.

import {formatList, parseList, toPath} from './paths.js';
import {keyNames} from './schema.js';

/** @type {(pairs: Pair[]) => View} */
const emptyView = pairs => ({pairs, columns: [], rows: new Map(), loaded: false});

export let view = emptyView([]);

/**
 * Start the view of another request, and return it. Work that an earlier view began compares `view` with its own, and
 * stops where they differ.
 *
 * @param {Pair[]} pairs
 */
export function startView(pairs) {
  view = emptyView(pairs);
  return view;
}

/**
 * Return the value of a control of the view's request; empty where it is not set.
 *
 * @param {string} name
 */
export const control = name => view.pairs.find(pair => pair[0] === name)?.[1] ?? '';

/**
 * Return the view's request without some of its parameters.
 *
 * @param {...string} names
 */
export const without = (...names) => view.pairs.filter(([name]) => !names.includes(name));

/**
 * Return what the page asks the API for to show the view.
 *
 * @returns {Pair[]}
 */
export function requestPairs() {
  const pairs = without('_explain', '_typed', '_numbers', '_fields');
  const fields = control('_fields');
  // The page needs the keys to know the rows again, and every index has them.
  if (fields) pairs.push(['_fields', formatList([...new Set([...parseList(fields), ...keyNames().map(toPath)])])]);
  return [...pairs, ['_typed', 'true']];
}

/**
 * The names of all attributes that an item of any view has had.
 *
 * @type {Set<string>}
 */
export const seenNames = new Set();
