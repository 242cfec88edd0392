// The texts beside an answer: its plan, its pages, its problems.

import assert from 'node:assert/strict';
import test from 'node:test';
import {countText, trailFor} from '../../../chalicelib/web/explorer/pager.js';
import {planText} from '../../../chalicelib/web/explorer/plan.js';
import {backoffSeconds, isTransient, Problem} from '../../../chalicelib/web/explorer/problem.js';
import {plural, shorten, visible} from '../../../chalicelib/web/explorer/text.js';

const plan = (headers, rest = {}) =>
  planText({headers: new Headers(headers), unchanged: false, bytes: undefined, ...rest});

test('a plan names what is read, its cost and its size', () => {
  const headers = {'X-Plan': 'Query index=by_net', 'X-Consumed-Capacity': '1.5', 'Server-Timing': 'dynamodb;dur=4.2'};
  assert.equal(
    plan(headers, {bytes: 12_001}),
    'Query: reads one partition of the index by_net · 1.5 read units · 4.2 ms in DynamoDB · 13 KB sent',
  );
  assert.equal(plan({'X-Plan': 'Scan', 'X-Consumed-Capacity': '1'}), 'Scan: reads through the table · 1 read unit');
});

test('an answer that was not sent again says so in place of its size', () => {
  assert.match(plan({'X-Plan': 'Scan'}, {unchanged: true, bytes: 300}), / · 304: unchanged, not sent again$/);
});

test('the name of an index may have spaces and signs', () => {
  assert.match(plan({'X-Plan': 'Query index=by net=us'}), /the index by net=us$/);
});

test('going on and back leaves the trail as it was', () => {
  const step = (page, list) => ({page, list});
  const trail = [step('items', 'items'), step('items?_cursor=1', 'items')];
  assert.deepEqual(trailFor(trail, 'items?_cursor=2', 'items'), trail);
  assert.deepEqual(trailFor(trail, 'items?_cursor=1', 'items'), trail.slice(0, 1));
  assert.deepEqual(trailFor([], 'items', 'items'), []);
});

test('a trail of another list is left', () => {
  assert.deepEqual(trailFor([{page: 'items', list: 'items'}], 'items?net=us&_cursor=1', 'items?net=us'), []);
});

test('the count says whether more follows', () => {
  assert.equal(countText(1, false), '1 item on this page, the last');
  assert.equal(countText(1000, true), '1,000 items on this page');
  assert.equal(countText(0, true), 'Nothing found yet: there is more to read');
  assert.equal(countText(0, false), 'No item matches');
});

test('only what may pass is tried again', () => {
  for (const status of [0, 429, 500, 503]) assert.ok(isTransient(new Problem(status, '')));
  for (const status of [-1, 400, 404, 410]) assert.ok(!isTransient(new Problem(status, '')));
});

test('each try waits twice as long, up to a minute', () => {
  assert.deepEqual([0, 1, 2, 5, 6, 5000].map(backoffSeconds), [1, 2, 4, 32, 60, 60]);
});

test('texts are for people', () => {
  assert.equal(plural(1, 'item'), '1 item');
  assert.equal(plural(0, 'item'), '0 items');
  assert.equal(plural(1707, 'item'), '1,707 items');
  assert.equal(shorten('x'.repeat(300)), 'x'.repeat(300));
  assert.equal(shorten('x'.repeat(301)), `${'x'.repeat(300)}…`);
  assert.deepEqual(['', ' \n', 'a '].map(visible), ['""', '" \\n"', 'a ']);
});
