import assert from 'node:assert/strict';
import test from 'node:test';
import {useTable} from '../../../chalicelib/web/explorer/schema.js';
import {control, requestPairs, startView, without} from '../../../chalicelib/web/explorer/view.js';
import {description} from './description.js';

test.beforeEach(() => useTable(description));

test('a control has the value that the request gives first, or none', () => {
  startView([
    ['_sort', 'a'],
    ['_sort', 'b'],
  ]);
  assert.equal(control('_sort'), 'a');
  assert.equal(control('_limit'), '');
  assert.equal(control('constructor'), '');
});

test('the page asks for typed values, whatever the view says', () => {
  startView([
    ['net', 'us'],
    ['_numbers', 'number'],
    ['_typed', 'false'],
    ['_explain', 'true'],
    ['net', 'nc'],
  ]);
  assert.deepEqual(requestPairs(), [
    ['net', 'us'],
    ['net', 'nc'],
    ['_typed', 'true'],
  ]);
});

test('the page asks for the keys beside the fields', () => {
  startView([['_fields', 'note,customer']]);
  assert.deepEqual(requestPairs()[0], ['_fields', 'note,customer,placed\\.at']);
  startView([['_fields', '["a,b"]']]);
  assert.deepEqual(requestPairs()[0], ['_fields', '["a,b","customer","placed\\\\.at"]']);
});

test('a request without some of its parameters keeps the others in their order', () => {
  const {pairs} = startView([
    ['b', '1'],
    ['_cursor', 'x'],
    ['a', '2'],
  ]);
  assert.deepEqual(without('_cursor', 'none'), [
    ['b', '1'],
    ['a', '2'],
  ]);
  assert.equal(pairs.length, 3);
});
