// The form that says what to show, and the request that it makes.

import {formatAddress} from './address.js';
import {apiUrl} from './api.js';
import {byId, el} from './dom.js';
import {addFilter, readFilters, updateSort} from './filters.js';
import {conditionName, formatList, parseList, splitCondition, toPath} from './paths.js';
import {describedNames, isControl, keyRoles, table} from './schema.js';
import {formatNumber} from './text.js';
import {control, seenNames, view} from './view.js';

const LIMITS = [25, 100, 500];
// The controls that the form or the links of pages have.
const OF_FORM = ['_sort', '_limit', '_fields', '_cursor'];

/** Write the view's request into the form. */
export function writeForm() {
  byId('conditions').replaceChildren();
  for (const [name, value] of view.pairs) {
    if (!isControl(name)) addFilter(...splitCondition(name, table.operators), value);
  }
  updateSort(control('_sort'));
  writeLimits(control('_limit') || String(table.limit.default));
  byId('chosen').textContent = control('_fields') || 'all';
  byId('curl').textContent = curlCommand(new URL(formatAddress('items', view.pairs), apiUrl));
  byId('why').open = false;
  writeSuggestions();
}

/** @type {(chosen: string) => void} */
function writeLimits(chosen) {
  const {default: usual, most} = table.limit;
  const limits = [...new Set([...LIMITS, most, usual, Number(chosen)])]
    .filter(limit => limit >= 1 && (limit <= most || String(limit) === chosen))
    .sort((one, other) => one - other);
  byId('limit').replaceChildren(...limits.map(limit => el('option', {value: String(limit)}, formatNumber(limit))));
  byId('limit').value = limits.includes(Number(chosen)) ? chosen : String(usual);
}

/** @type {(url: URL) => string} */
const curlCommand = url => `curl '${url.href.replaceAll("'", "'\\''")}'`;

/** Offer the attributes that are known by now: those of the description, and those that an item has had. */
export function writeSuggestions() {
  const known = [...new Set([...describedNames(), ...seenNames])].filter(Boolean);
  byId('attributes').replaceChildren(...known.map(name => el('option', {value: toPath(name)}, keyRoles(name))));
  const fields = control('_fields');
  const chosen = new Set(fields ? parseList(fields) : []);
  const choices = new Set([...known.map(toPath), ...chosen]);
  byId('choices').replaceChildren(...[...choices].map(path => fieldChoice(path, chosen.has(path))));
}

/** @type {(path: string, checked: boolean) => HTMLLabelElement} */
const fieldChoice = (path, checked) =>
  el('label', {}, el('input', {type: 'checkbox', value: path, checked}), ` ${path}`);

/**
 * Return the request that the form makes. Controls that it does not have stay as they are in the view.
 *
 * @returns {Pair[]}
 */
export function readForm() {
  const limit = byId('limit').value;
  const checked = /** @type {NodeListOf<HTMLInputElement>} */ (byId('choices').querySelectorAll('input:checked'));
  const fields = [...checked].map(input => input.value);
  /** @type {Pair[]} */
  const controls = [
    ['_sort', byId('sort').value],
    ['_limit', limit === String(table.limit.default) ? '' : limit],
    ['_fields', formatList(fields)],
  ];
  return [
    ...readFilters().map(conditionPair),
    ...controls.filter(([, value]) => value),
    ...view.pairs.filter(([name]) => isControl(name) && !OF_FORM.includes(name)),
  ];
}

/** @type {(condition: Condition) => Pair} */
const conditionPair = ([path, operator, value]) => [conditionName(path, operator, table.operators), value];
