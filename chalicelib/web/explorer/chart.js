// The chart of the latest changes.

import {byId} from './dom.js';
import {formatNumber} from './text.js';

/** @type {{[operation in Operation]: string}} */
export const KINDS = {insert: 'inserted', modify: 'changed', remove: 'removed'};

const BUCKETS = 60;
const BUCKET_SECONDS = 5;
const HEIGHT = 20;

/** @typedef {{at: number, operation: Operation}} Event a change, and its time in ms */

/** @type {Event[]} */
let events = [];

/**
 * Add a change to the chart, which the next drawChart shows.
 *
 * @param {Event} event
 */
export function addToChart(event) {
  events.push(event);
}

/** @type {(milliseconds: number) => number} */
const bucketOf = milliseconds => Math.floor(milliseconds / 1000 / BUCKET_SECONDS);

/**
 * Return the number of events in each bucket of time, for each operation, the bucket of `now` last.
 *
 * @param {Event[]} events none later than now
 * @param {number} now in ms
 */
export function countEvents(events, now) {
  const first = bucketOf(now) - BUCKETS + 1;
  const empty = () => Array(BUCKETS).fill(0);
  /** @type {{[operation in Operation]: number[]}} */
  const counts = {insert: empty(), modify: empty(), remove: empty()};
  for (const {at, operation} of events) if (bucketOf(at) >= first) counts[operation][bucketOf(at) - first]++;
  return counts;
}

/**
 * Return the SVG paths of stacked bars, one for each row of counts, the first at the bottom. The highest stack takes
 * the whole height.
 *
 * @param {number[][]} rows
 */
export function barPaths(rows) {
  const most = Math.max(...stackHeights(rows));
  const tops = rows[0].map(() => HEIGHT);
  return rows.map(row =>
    row
      .map((count, place) => {
        if (!count) return '';
        const height = (count / most) * HEIGHT;
        tops[place] -= height;
        return `M${place} ${tops[place]}h.85v${height}h-.85z`;
      })
      .join(''),
  );
}

/** @type {(rows: number[][]) => number[]} */
const stackHeights = rows => rows[0].map((_, place) => sum(rows.map(row => row[place])));

/** @type {(numbers: number[]) => number} */
const sum = numbers => numbers.reduce((total, one) => total + one, 0);

/** Draw the changes of the last minutes, and forget those before. */
export function drawChart() {
  const now = Date.now();
  events = events.filter(({at}) => bucketOf(at) > bucketOf(now) - BUCKETS);
  const counts = countEvents(events, now);
  const operations = /** @type {Operation[]} */ (Object.keys(KINDS));
  const rows = operations.map(operation => counts[operation]);
  for (const [place, path] of barPaths(rows).entries()) {
    byId('chart').querySelector(`.${KINDS[operations[place]]}`)?.setAttribute('d', path);
  }
  const title = `Changes in the last ${(BUCKETS * BUCKET_SECONDS) / 60} minutes`;
  const most = Math.max(...stackHeights(rows));
  const summary = most ? `, at most ${formatNumber(most)} in ${BUCKET_SECONDS} s` : ': none yet';
  byId('most').textContent = title + summary;
  const totals = operations.map(operation => `${formatNumber(sum(counts[operation]))} ${KINDS[operation]}`);
  byId('chart').setAttribute('aria-label', `${title}: ${totals.join(', ')}`);
}
