// Paths of attributes, and what they are part of: the names of conditions, and lists of fields.

/**
 * Return the path of the attribute with this name: "a.b" is written "a\.b".
 *
 * @param {string} name
 */
export const toPath = name => name.replace(/[\\.[]/g, '\\$&');

/**
 * Return the name of the attribute that a path begins with: "a\.b" of "a\.b.c[0]". Undefined where it begins with none.
 *
 * @param {string} path
 */
export const firstName = path => /^(?:\\.|[^\\.[])+/.exec(path)?.[0].replace(/\\(.)/g, '$1');

/**
 * Split the name of a condition: "mag__gte" is ["mag", "gte"], and "mag" is ["mag", "eq"].
 *
 * @param {string} name
 * @param {{[operator: string]: unknown}} operators the API's
 * @returns {[path: string, operator: string]}
 */
export function splitCondition(name, operators) {
  const [, path, operator] = /^(.+)__(\w+?)$/s.exec(name) ?? [];
  return Object.hasOwn(operators, operator) ? [path, operator] : [name, 'eq'];
}

/**
 * Return the name of a condition, such that splitCondition gives path and operator again.
 *
 * @param {string} path
 * @param {string} operator
 * @param {{[operator: string]: unknown}} operators the API's
 */
export function conditionName(path, operator, operators) {
  const isPlain = operator === 'eq' && !path.startsWith('_') && splitCondition(path, operators)[0] === path;
  return isPlain ? path : `${path}__${operator}`;
}

/**
 * Return the value of an equality as text: in quotes where the API would remove quotes.
 *
 * @param {string} value
 */
export const quoteValue = value => (value.startsWith('"') ? JSON.stringify(value) : value);

/**
 * Read a list as `_fields` takes it: a JSON array, or names between commas, in quotes or not.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function parseList(text) {
  if (text.startsWith('[')) {
    try {
      return JSON.parse(text).map(String);
    } catch {
      // Not JSON: the name of a first field may begin with a bracket.
    }
  }
  return text.split(',').map(unquote);
}

/** @type {(name: string) => string} */
function unquote(name) {
  if (!name.startsWith('"')) return name;
  try {
    return JSON.parse(name);
  } catch {
    return name;
  }
}

/**
 * Write a list so that parseList reads the same names: as JSON where a comma list could be read otherwise.
 *
 * @param {string[]} names
 */
export const formatList = names =>
  names.some(name => /[,"]|^\[/.test(name)) ? JSON.stringify(names) : names.join(',');
