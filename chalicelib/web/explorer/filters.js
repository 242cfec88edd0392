// The filters of the form: a line for each condition.

import {byId, el} from './dom.js';
import {declaredType, sources, table} from './schema.js';
import {sortOptions} from './sort.js';
import {TYPE_NAMES, typeAndValue} from './values.js';
import {view} from './view.js';

const SUGGESTIONS = 30;
const LONGEST_SUGGESTION = 60;

/**
 * Add a line to the filters, and return its field for the attribute.
 *
 * @param {string} path
 * @param {string} operator
 * @param {string} value
 */
export function addFilter(path = '', operator = 'eq', value = '') {
  const attribute = el('input', {list: 'attributes', value: path, placeholder: 'attribute', 'aria-label': 'Attribute'});
  const operators = el('select', {'aria-label': 'Operator'});
  const operand = el('input', {list: 'values', value, 'aria-label': 'Value'});
  const remove = el('button', {type: 'button', 'aria-label': 'Remove this filter'}, '✕');
  const line = el('li', {}, attribute, operators, operand, remove);
  const update = () => {
    const type = declaredType(attribute.value);
    operators.replaceChildren(...operatorOptions(type, operators.value || operator));
    operand.placeholder = operandHint(operators.value, type);
    updateSort();
  };
  attribute.oninput = update;
  operators.oninput = update;
  operand.oninput = () => updateSort();
  operand.onfocus = () =>
    suggestValues(operators.value === 'exists' ? ['true', 'false'] : shownValues(attribute.value));
  remove.onclick = () => {
    line.remove();
    updateSort();
    byId('add').focus();
  };
  byId('conditions').append(line);
  update();
  return attribute;
}

// An example of the operand; for a single value of a key, its type.
/** @type {(operator: string, type: string | undefined) => string} */
function operandHint(operator, type) {
  const example = table.operators[operator]?.operand ?? 'value';
  return example === 'value' && type ? TYPE_NAMES[type] : example;
}

// The operators that a key of this type takes, or all of them where it is undefined; always the one that is chosen.
/** @type {(type: string | undefined, chosen: string) => HTMLOptionElement[]} */
const operatorOptions = (type, chosen) =>
  Object.entries(table.operators)
    .filter(([value, {keys}]) => !type || keys.includes(type) || value === chosen)
    .map(([value, {description}]) =>
      el('option', {value, selected: value === chosen}, description.replace(/ \(.*/, '')),
    );

/** @type {(name: string) => string[]} */
function shownValues(name) {
  const values = [...view.rows.values()].flatMap(({item}) => {
    const [type, value] = item[name] ? typeAndValue(item[name]) : ['', ''];
    return ['S', 'N', 'BOOL'].includes(type) ? [String(value)] : [];
  });
  return [...new Set(values)].filter(value => value.length < LONGEST_SUGGESTION).slice(0, SUGGESTIONS);
}

/** @type {(values: string[]) => void} */
function suggestValues(values) {
  byId('values').replaceChildren(...values.map(value => el('option', {value})));
}

/**
 * Return the filters of the form, without those that name no attribute.
 *
 * @returns {Condition[]}
 */
export function readFilters() {
  const lines = [...byId('conditions').children].map(line => {
    const [attribute, operators, operand] = /** @type {NodeListOf<HTMLInputElement>} */ (
      line.querySelectorAll('input, select')
    );
    return /** @type {Condition} */ ([attribute.value, operators.value, operand.value]);
  });
  return lines.filter(([path]) => path);
}

/**
 * Offer the orders that the filters of the form allow.
 *
 * @param {string} selected
 */
export function updateSort(selected = byId('sort').value) {
  const equalities = readFilters().filter(([, operator, value]) => operator === 'eq' && value);
  const fixed = new Set(equalities.map(([path]) => path));
  const options = sortOptions(sources(), fixed, selected);
  byId('sort').replaceChildren(...options.map(({value, label, disabled}) => el('option', {value, disabled}, label)));
  byId('sort').value = selected;
}
