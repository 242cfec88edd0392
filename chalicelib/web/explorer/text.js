// Numbers and names as text for people.

/** @param {number | string} value */
export const formatNumber = value => Number(value).toLocaleString('en');

/**
 * Return a count and its noun: "1 item", "1,707 items".
 *
 * @param {number} count
 * @param {string} noun in the singular
 */
export const plural = (count, noun) => `${formatNumber(count)} ${noun}${count === 1 ? '' : 's'}`;

const LONGEST_TEXT = 300;

/** @param {string} text */
export const shorten = text => (text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text);

/**
 * Return the text, in quotes where nothing of it could be seen.
 *
 * @param {string} text
 */
export const visible = text => (text.trim() ? text : JSON.stringify(text));
