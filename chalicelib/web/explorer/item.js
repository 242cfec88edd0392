// The dialog of one item.

import {formatAddress, parseAddress} from './address.js';
import {ask} from './api.js';
import {fillCell} from './cells.js';
import {byId, el, showText} from './dom.js';
import {Problem} from './problem.js';
import {identity, keyCondition, keyNames, keyText} from './schema.js';
import {byteCount, TYPE_NAMES, toJson, typeAndValue} from './values.js';
import {view} from './view.js';

/** @typedef {{pairs: Pair[], id: string | null, json: string}} OpenedItem `pairs`: the conditions that find it */

/** @type {OpenedItem | null} */
export let opened = null;
let cameFromList = false;

/**
 * Note whether the page before was a list: then the way back is one step back in the browser's history.
 *
 * @param {boolean} value
 */
export function setCameFromList(value) {
  cameFromList = value;
}

/**
 * Read the item that these conditions find, and show it.
 *
 * @param {Pair[]} pairs
 */
export async function openItem(pairs) {
  const current = {pairs, id: opened?.pairs === pairs ? opened.id : null, json: ''};
  opened = current;
  const {item, problem} = await readItem(pairs);
  if (opened !== current) return;
  if (item) Object.assign(current, {id: identity(item), json: toJson({M: item})});
  byId('key').textContent = item ? keyText(item) : pairs.map(([, value]) => value).join(', ');
  showText('item-problem', problem);
  byId('copy-json').hidden = !item;
  byId('attributes-of').replaceChildren(...Object.entries(item ?? {}).map(attributeRow));
  if (!byId('item').open) byId('item').showModal();
}

/** @type {(pairs: Pair[]) => Promise<{item: Item | undefined, problem: string}>} */
async function readItem(pairs) {
  const given = new Set(pairs.map(([name]) => name));
  if (!keyNames().every(name => given.has(keyCondition(name)))) {
    return {item: undefined, problem: `This link names no item: it takes ${keyNames().join(' and ')}.`};
  }
  try {
    const {body} = await ask(formatAddress('items', [...pairs, ['_limit', '1'], ['_typed', 'true']]));
    const [item] = body.items;
    return {item, problem: item ? '' : 'There is no such item: it may have been removed.'};
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return {item: undefined, problem: problem.message};
  }
}

/** @type {(entry: [string, Attribute]) => HTMLTableRowElement} */
function attributeRow([name, attribute]) {
  const [type, value] = typeAndValue(attribute);
  const td = el('td');
  if (type === 'B') td.append(byteCount(value), ': ', el('code', {}, value));
  else if (type === 'M' || type === 'L') td.append(el('pre', {}, toJson(attribute)));
  else fillCell(td, attribute, true);
  return el('tr', {}, el('th', {scope: 'row'}, name, ' ', el('span', {class: 'dim'}, TYPE_NAMES[type])), td);
}

/** Close the dialog, where another address was opened. */
export function closeItem() {
  opened = null;
  if (byId('item').open) byId('item').close();
}

/** Go back to the list, once the dialog is closed. */
export function leaveItem() {
  opened = null;
  if (parseAddress(location.href).path !== 'item') return;
  if (cameFromList) history.back();
  else location.hash = formatAddress('items', view.pairs);
}
