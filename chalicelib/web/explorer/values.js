// Values as DynamoDB writes them, {"N": "5"}, and the same as JSON text.

import {plural} from './text.js';

/** @type {{[type: string]: string}} */
export const TYPE_NAMES = {
  S: 'string',
  N: 'number',
  B: 'binary',
  BOOL: 'boolean',
  NULL: 'null',
  M: 'map',
  L: 'list',
  SS: 'string set',
  NS: 'number set',
  BS: 'binary set',
};

/** @type {(attribute: Attribute) => [type: AttributeType, value: any]} */
export const typeAndValue = attribute => /** @type {[AttributeType, any]} */ (Object.entries(attribute)[0]);

/**
 * Return the size of a binary as text: "4 bytes".
 *
 * @param {string} base64
 */
export function byteCount(base64) {
  const padding = base64.endsWith('==') ? 2 : Number(base64.endsWith('='));
  return plural((base64.length / 4) * 3 - padding, 'byte');
}

/**
 * Return the value as indented JSON. Numbers keep all their digits; binaries are base64; sets are lists.
 *
 * @param {Attribute} attribute
 * @param {string} indent of the line that the value begins on
 * @returns {string}
 */
export function toJson(attribute, indent = '') {
  const [type, value] = typeAndValue(attribute);
  const inner = `${indent}  `;
  switch (type) {
    case 'N':
      return value;
    case 'NULL':
      return 'null';
    case 'NS':
      return bracketed('[]', value, indent);
    case 'SS':
    case 'BS':
      return bracketed('[]', toStrings(value), indent);
    case 'L':
      return bracketed('[]', toElements(value, inner), indent);
    case 'M':
      return bracketed('{}', toMembers(value, inner), indent);
    default:
      return JSON.stringify(value);
  }
}

/** @type {(values: string[]) => string[]} */
const toStrings = values => values.map(value => JSON.stringify(value));

/** @type {(list: Attribute[], indent: string) => string[]} */
const toElements = (list, indent) => list.map(attribute => toJson(attribute, indent));

/** @type {(map: Item, indent: string) => string[]} */
const toMembers = (map, indent) =>
  Object.entries(map).map(([name, attribute]) => `${JSON.stringify(name)}: ${toJson(attribute, indent)}`);

/** @type {(brackets: string, texts: string[], indent: string) => string} */
function bracketed([open, close], texts, indent) {
  if (!texts.length) return open + close;
  const inner = `\n${indent}  `;
  return `${open}${inner}${texts.join(`,${inner}`)}\n${indent}${close}`;
}
