// The cell of a table that shows one value.

import {el} from './dom.js';
import {formatNumber, shorten} from './text.js';
import {byteCount, toJson, typeAndValue} from './values.js';

const CHIPS = 20;
// Longer strings also have a tooltip.
const TOOLTIP_FROM = 40;

// Type -> what a cell shows of a value that is not a set.
/** @type {{[type: string]: (value: any, attribute: Attribute) => string | Node}} */
const CONTENTS = {
  S: value => (value === '' ? el('span', {class: 'dim'}, '""') : value),
  N: value => value,
  B: byteCount,
  BOOL: String,
  NULL: () => 'null',
  M: (value, attribute) => foldedJson(attribute, `{${formatNumber(Object.keys(value).length)}}`),
  L: (value, attribute) => foldedJson(attribute, `[${formatNumber(value.length)}]`),
};

/**
 * Write the value into the cell: long ones are shortened, unless the cell is to show the whole of it.
 *
 * @param {HTMLTableCellElement} td
 * @param {Attribute | undefined} attribute
 * @param {boolean} whole
 */
export function fillCell(td, attribute, whole = false) {
  td.title = '';
  if (!attribute) {
    td.className = '';
    td.replaceChildren();
    return;
  }
  const [type, value] = typeAndValue(attribute);
  td.className = type;
  if (!CONTENTS[type]) td.replaceChildren(...chips(value, type, whole));
  else if (type !== 'S' || whole) td.replaceChildren(CONTENTS[type](value, attribute));
  else {
    td.replaceChildren(CONTENTS.S(shorten(value), attribute));
    if (value.length > TOOLTIP_FROM) td.title = shorten(value);
  }
}

// A map or a list. Its JSON is written when it is unfolded for the first time.
/** @type {(attribute: Attribute, summary: string) => HTMLDetailsElement} */
function foldedJson(attribute, summary) {
  const details = el('details', {}, el('summary', {}, summary));
  details.ontoggle = () => {
    if (details.open && details.children.length === 1) details.append(el('pre', {tabindex: '0'}, toJson(attribute)));
  };
  return details;
}

// The members of a set.
/** @type {(values: string[], type: string, whole: boolean) => (Node | string)[]} */
function chips(values, type, whole) {
  const some = whole ? values : values.slice(0, CHIPS);
  const shown = some.map(value => el('span', {class: 'chip'}, type === 'BS' && !whole ? byteCount(value) : value));
  const more = values.length - shown.length;
  return more ? [...shown, `and ${formatNumber(more)} more`] : shown;
}
