import assert from 'node:assert/strict';
import test from 'node:test';
import {barPaths, countEvents} from '../../../chalicelib/web/explorer/chart.js';

// The end of a bucket of 5 seconds.
const now = 1_000_004_999;
const sum = row => row.reduce((total, count) => total + count, 0);

test('an event counts for its operation, in the bucket of its time', () => {
  const counts = countEvents(
    [
      {at: now, operation: 'insert'},
      {at: now - 4999, operation: 'insert'},
      {at: now - 5000, operation: 'modify'},
      {at: now - 295_000, operation: 'remove'},
    ],
    now,
  );
  assert.equal(counts.insert.at(-1), 2);
  assert.equal(counts.modify.at(-2), 1);
  assert.equal(counts.remove[0], 1);
  assert.deepEqual(Object.values(counts).map(sum), [2, 1, 1]);
});

test('an event of more than five minutes ago is not counted', () => {
  const counts = countEvents([{at: now - 300_000, operation: 'remove'}], now);
  assert.deepEqual(Object.values(counts).map(sum), [0, 0, 0]);
});

test('bars are stacked, and the highest stack takes the whole height', () => {
  assert.deepEqual(
    barPaths([
      [1, 0, 2],
      [1, 0, 0],
      [2, 1, 0],
    ]),
    ['M0 15h.85v5h-.85zM2 10h.85v10h-.85z', 'M0 10h.85v5h-.85z', 'M0 0h.85v10h-.85zM1 15h.85v5h-.85z'],
  );
});

test('without events there are no bars', () => {
  assert.deepEqual(
    barPaths([
      [0, 0],
      [0, 0],
    ]),
    ['', ''],
  );
});
