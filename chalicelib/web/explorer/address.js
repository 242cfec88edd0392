// The view is a request, and the page's address holds it: #items?net=us&_sort=-time, or #item?idx=... for one item.

// In place of an API's URL that cannot be read: its protocol is not http.
const UNREADABLE = new URL('unreadable:');

/** @type {(text: string) => string} */
export const encode = text => encodeURIComponent(text).replace(/%(?:2C|3A|24|40|2F)/g, decodeURIComponent);

/**
 * Return a path and its query string, for the API and for the part of the page's address behind #.
 *
 * @param {string} path
 * @param {Pair[]} pairs
 */
export function formatAddress(path, pairs) {
  const query = pairs.map(pair => pair.map(encode).join('=')).join('&');
  return query ? `${path}?${query}` : path;
}

/**
 * Read what a page's URL has behind #: where it has nothing, that is the list of all items.
 *
 * @param {string} url
 * @returns {{path: string, pairs: Pair[]}}
 */
export function parseAddress(url) {
  const [, path = '', query = ''] = /^([^?]*)\??(.*)$/s.exec(url.split('#')[1] ?? '') ?? [];
  return {path: path || 'items', pairs: [...new URLSearchParams(query)]};
}

/**
 * Return the URL of the API: the `api` parameter of the page's URL, or the folder that the page is in.
 *
 * @param {string} pageUrl
 */
export function resolveApi(pageUrl) {
  const page = new URL(pageUrl);
  const given = page.searchParams.get('api');
  if (given) {
    const url = given.replace(/[?#].*/, '').replace(/\/?$/, '/');
    return URL.canParse(url) ? new URL(url) : UNREADABLE;
  }
  // An API behind a stage may be opened without the slash at its end.
  const folder = /\/$|\.html$/.test(page.pathname) ? './' : `${page.pathname}/`;
  return new URL(folder, pageUrl.split(/[?#]/)[0]);
}
