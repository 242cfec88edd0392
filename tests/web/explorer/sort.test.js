import assert from 'node:assert/strict';
import test from 'node:test';
import {sortOptions} from '../../../chalicelib/web/explorer/sort.js';

const source = (partition, sort) => ({name: partition, partition: {name: partition}, sort: sort && {name: sort}});
const sources = [source('idx', null), source('net', 'time'), source('type', 'time'), source('alert', 'mag')];
const options = (fixed, selected = '', of = sources) =>
  sortOptions(of, new Set(fixed), selected).map(({value, label, disabled}) => [value, label, disabled]);

test('without an equality no order is possible, and each says what it takes', () => {
  assert.deepEqual(options([]), [
    ['', 'no order', false],
    ['time', 'time: takes net is …', true],
    ['mag', 'mag: takes alert is …', true],
  ]);
});

test('an equality on a partition key makes its sort key possible in both directions', () => {
  assert.deepEqual(options(['net']), [
    ['', 'no order', false],
    ['time', 'time, ascending', false],
    ['-time', 'time, descending', false],
    ['mag', 'mag: takes alert is …', true],
  ]);
});

test('any source that can give an order makes it possible, whichever is first', () => {
  const [, first] = options(['type']);
  assert.deepEqual(first, ['time', 'time, ascending', false]);
  assert.ok(options(['type']).some(([value, , disabled]) => value === '-time' && !disabled));
});

test('the selected order stays, even where it is not possible or not known', () => {
  assert.deepEqual(options([], 'time')[1], ['time', 'time, ascending', false]);
  assert.deepEqual(options([], '-time').at(-1), ['-time', '-time', false]);
  assert.deepEqual(options(['net'], 'gone').at(-1), ['gone', 'gone', false]);
});

test('no option is offered twice', () => {
  for (const fixed of [[], ['net'], ['type'], ['net', 'type', 'alert']]) {
    const values = options(fixed, '-time').map(([value]) => value);
    assert.equal(new Set(values).size, values.length);
  }
});

test('a partition key is fixed by its path', () => {
  const dotted = [source('a.b', 'constructor')];
  assert.equal(options(['a.b'], '', dotted).length, 2);
  assert.deepEqual(options(['a\\.b'], '', dotted)[2], ['-constructor', 'constructor, descending', false]);
});
