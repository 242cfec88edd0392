import assert from 'node:assert/strict';
import test from 'node:test';
import {
  expectPosition,
  forgetShown,
  noteOperation,
  progress,
  settle,
} from '../../../chalicelib/web/explorer/progress.js';

const now = 1_000_000;

test('the view is read again for changes, until an answer has reached them', () => {
  expectPosition(7, now);
  assert.equal(progress.readFrom, now);
  settle('6', now);
  assert.equal(progress.readFrom, 0);
  settle('7', now);
  assert.equal(progress.readFrom, Infinity);
});

test('positions are compared as numbers', () => {
  expectPosition(10, now);
  settle('9', now);
  assert.equal(progress.readFrom, 0);
});

test('an answer without a position is asked for once more, when the index has settled', () => {
  expectPosition(8, now);
  settle(null, now + 1000);
  assert.equal(progress.readFrom, now + 6000);
  settle(null, now + 6000);
  assert.equal(progress.readFrom, Infinity);
});

test('what was inserted and then changed is still new', () => {
  progress.operations.clear();
  noteOperation('a', 'insert');
  noteOperation('a', 'modify');
  assert.equal(progress.operations.get('a'), 'insert');
  noteOperation('a', 'remove');
  noteOperation('a', 'modify');
  assert.equal(progress.operations.get('a'), 'modify');
});

test('operations are kept until the view shows them', () => {
  progress.operations.clear();
  noteOperation('__proto__', 'insert');
  const {operations} = progress;
  expectPosition(9, now);
  forgetShown();
  assert.equal(progress.operations, operations);
  settle('9', now);
  forgetShown();
  assert.equal(progress.operations.size, 0);
  assert.equal(operations.get('__proto__'), 'insert');
});
