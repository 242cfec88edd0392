// The links to the pages of a view: first, previous, next.

import {formatAddress} from './address.js';
import {byId} from './dom.js';
import {plural} from './text.js';
import {control, view, without} from './view.js';

// The pages that were left by "Next page", since the API has no link to a page before.
/** @type {{page: string, list: string}[]} */
let trail = [];

/**
 * Return the trail for a page that is opened: without the page itself where it was reached by going back, and without
 * the pages of other lists.
 *
 * @template {{page: string, list: string}} Step
 * @param {Step[]} steps
 * @param {string} page its address
 * @param {string} list the address of its first page
 */
export const trailFor = (steps, page, list) =>
  steps.at(-1)?.page === page ? steps.slice(0, -1) : steps.filter(step => step.list === list);

/**
 * Show the links and the count of a page.
 *
 * @param {ItemsPage} body
 */
export function showPager({items, next}) {
  const page = formatAddress('items', view.pairs);
  const list = formatAddress('items', without('_cursor'));
  trail = trailFor(trail, page, list);
  const isFirst = !control('_cursor');
  link('first', isFirst ? null : list);
  link('previous', isFirst ? null : trail.at(-1)?.page);
  const cursor = next && new URLSearchParams(next).get('_cursor');
  link('next', cursor && formatAddress('items', [...without('_cursor'), ['_cursor', cursor]]));
  byId('next').onclick = () => {
    trail.push({page, list});
  };
  byId('count').textContent = countText(items.length, Boolean(next));
}

/** @type {(id: 'first' | 'previous' | 'next', address: string | null | undefined) => void} */
function link(id, address) {
  byId(id).hidden = !address;
  if (address) byId(id).href = `#${address}`;
}

/**
 * Return the count of a page's items as text.
 *
 * @param {number} count
 * @param {boolean} hasMore whether a page follows
 */
export function countText(count, hasMore) {
  if (count) return `${plural(count, 'item')} on this page${hasMore ? '' : ', the last'}`;
  return hasMore ? 'Nothing found yet: there is more to read' : 'No item matches';
}
