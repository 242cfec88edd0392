// What the API says of its table at GET /: keys, indexes, operators, limits.

import {conditionName, quoteValue, splitCondition, toPath} from './paths.js';
import {visible} from './text.js';
import {typeAndValue} from './values.js';

/** @type {Description} */
export let table;

/** @param {Description} description */
export function useTable(description) {
  table = description;
}

/**
 * Return the table and its indexes, in one form.
 *
 * @returns {Source[]}
 */
export const sources = () => [{name: 'the table', ...table.keys, projection: table.attributes}, ...table.indexes];

/** @type {(source: Keys) => Key[]} */
const keysOf = ({partition, sort}) => (sort ? [partition, sort] : [partition]);

/** Return the names of the table's own key, partition first. */
export const keyNames = () => keysOf(table.keys).map(key => key.name);

/** @type {(item: Item) => string[]} */
const keyValues = item => keyNames().map(name => typeAndValue(item[name])[1]);

/**
 * Return the item's key as one text that no other item has.
 *
 * @param {Item} item
 */
export const identity = item => keyValues(item).join('\u0000');

/**
 * Return the item's key for people to read.
 *
 * @param {Item} item
 */
export const keyText = item => keyValues(item).map(visible).join(', ');

/**
 * Return the name of the condition that asks for one value of an attribute of the key.
 *
 * @param {string} name
 */
export const keyCondition = name => conditionName(toPath(name), 'eq', table.operators);

/**
 * Return the conditions that find this item alone.
 *
 * @param {Item} item
 * @returns {Pair[]}
 */
export function keyPairs(item) {
  const values = keyValues(item);
  return keyNames().map((name, place) => [keyCondition(name), quoteValue(values[place])]);
}

/**
 * Return the type of the attribute at the path, where it is part of a key.
 *
 * @param {string} path
 */
export const declaredType = path =>
  sources()
    .flatMap(keysOf)
    .find(key => toPath(key.name) === path)?.type;

/**
 * Return the parts that an attribute has in keys: "partition key of by_net".
 *
 * @param {string} name
 */
export function keyRoles(name) {
  const roles = sources().flatMap(({name: source, partition, sort}) => [
    partition.name === name && `partition key of ${source}`,
    sort?.name === name && `sort key of ${source}`,
  ]);
  return roles.filter(Boolean).join(', ');
}

/** Return the names of the attributes that the description has, each once: those of keys first. */
export function describedNames() {
  const ofIndexes = table.indexes.flatMap(index => [
    ...keysOf(index).map(key => key.name),
    ...(index.projection ?? []),
  ]);
  return [...new Set([...keyNames(), ...ofIndexes, ...(table.attributes ?? [])])];
}

/**
 * Return whether a parameter is a control, such as `_sort`, and not a condition.
 *
 * @param {string} name
 */
export const isControl = name => name.startsWith('_') && splitCondition(name, table.operators)[0] === name;
