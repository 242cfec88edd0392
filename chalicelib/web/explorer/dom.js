// Elements of the page. Every text is added as text: no markup is ever made of data.

/**
 * Return the element of index.html with this id.
 *
 * @template {string} Id
 * @param {Id} id
 * @returns {Id extends keyof ElementsById ? ElementsById[Id] : HTMLElement}
 */
export const byId = id => /** @type {any} */ (document.getElementById(id));

/**
 * Create an element. Properties that are texts become attributes; all others are set on the element itself.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {{[property: string]: unknown}} properties
 * @param {...(Node | string)} children
 */
export function el(name, properties = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === 'string') node.setAttribute(key, value);
    else Object.assign(node, {[key]: value});
  }
  node.append(...children);
  return node;
}

/**
 * Show the text in the element, or hide the element where the text is empty.
 *
 * @param {string} id
 * @param {string} text
 */
export function showText(id, text) {
  byId(id).textContent = text;
  byId(id).hidden = !text;
}

/**
 * Have a screen reader say the text.
 *
 * @param {string} text
 */
export function announce(text) {
  byId('announcement').textContent = text;
}
