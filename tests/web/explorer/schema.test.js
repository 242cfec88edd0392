import assert from 'node:assert/strict';
import test from 'node:test';
import {
  declaredType,
  describedNames,
  identity,
  isControl,
  keyNames,
  keyPairs,
  keyRoles,
  keyText,
  sources,
  useTable,
} from '../../../chalicelib/web/explorer/schema.js';
import {description} from './description.js';

test.beforeEach(() => useTable(description));

const order = (customer, placed) => ({customer: {S: customer}, 'placed.at': {N: placed}, note: {S: 'x'}});

test('the table is a source as its indexes are', () => {
  assert.deepEqual(
    sources().map(({name, kind, sort}) => [name, kind, sort?.name]),
    [
      ['the table', undefined, 'placed.at'],
      ['by_state', 'global', 'placed.at'],
      ['by_code', 'global', undefined],
    ],
  );
});

test('an item is found by conditions on its key', () => {
  assert.deepEqual(keyPairs(order('a', '5')), [
    ['customer', 'a'],
    ['placed\\.at', '5'],
  ]);
  assert.deepEqual(keyPairs(order('"a"', '5'))[0], ['customer', '"\\"a\\""']);
});

test('a key that a control could be taken for is asked with an operator', () => {
  useTable({...description, keys: {partition: {name: '_sort', type: 'S'}, sort: null}});
  assert.deepEqual(keyNames(), ['_sort']);
  assert.deepEqual(keyPairs({_sort: {S: 'a'}}), [['_sort__eq', 'a']]);
});

test('two items have two identities, and numbers keep their digits in them', () => {
  assert.notEqual(identity(order('a', '12')), identity(order('a1', '2')));
  const [one, other] = ['12345678901234567890123456789012345678', '12345678901234567890123456789012345679'];
  assert.notEqual(identity(order('a', one)), identity(order('a', other)));
  assert.equal(identity(order('a', '1')), identity({...order('a', '1'), note: {S: 'other'}}));
});

test('a key that cannot be seen is shown in quotes', () => {
  assert.equal(keyText(order('a', '5')), 'a, 5');
  assert.equal(keyText(order(' ', '5')), '" ", 5');
});

test('the type of a key is found by its path', () => {
  assert.equal(declaredType('placed\\.at'), 'N');
  assert.equal(declaredType('_code'), 'B');
  for (const path of ['placed.at', 'note', '', 'constructor']) assert.equal(declaredType(path), undefined);
});

test('an attribute has the roles of all keys that it is in', () => {
  assert.equal(keyRoles('placed.at'), 'sort key of the table, sort key of by_state');
  assert.equal(keyRoles('_code'), 'partition key of by_code');
  assert.equal(keyRoles('note'), '');
});

test('the description names attributes, those of keys first and each once', () => {
  assert.deepEqual(describedNames(), ['customer', 'placed.at', 'state', 'note', '_code']);
  useTable({...description, attributes: ['note', 'extra']});
  assert.deepEqual(describedNames().at(-1), 'extra');
});

test('a control begins with _ and is not a condition', () => {
  for (const name of ['_sort', '_', '_x', '_x__constructor']) assert.ok(isControl(name), name);
  for (const name of ['sort', '_x__eq', '_x__gt', '']) assert.ok(!isControl(name), name);
});
