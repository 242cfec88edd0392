import assert from 'node:assert/strict';
import test from 'node:test';
import {attributeNames, columnsFor, comparePages, sameValue} from '../../../chalicelib/web/explorer/compare.js';

const columns = ['id', 'n'];
const item = (id, n) => ({id: {S: id}, ...(n === undefined ? {} : {n: {N: String(n)}})});
const shown = (...items) => new Map(items.map(one => [one.id.S, {item: one}]));
const read = (...items) => new Map(items.map(one => [one.id.S, one]));
const compare = (before, after, operations = {}) =>
  comparePages(shown(...before), read(...after), columns, new Map(Object.entries(operations)));

test('values are the same by type and content', () => {
  assert.ok(sameValue({N: '5'}, {N: '5'}));
  assert.ok(sameValue(undefined, undefined));
  assert.ok(!sameValue({N: '5'}, {S: '5'}));
  assert.ok(!sameValue({S: ''}, undefined));
  assert.ok(!sameValue({N: '12345678901234567890123456789012345678'}, {N: '12345678901234567890123456789012345679'}));
});

test('the order of a set means nothing, at any depth', () => {
  for (const type of ['SS', 'NS', 'BS']) assert.ok(sameValue({[type]: ['1', '2', '10']}, {[type]: ['10', '2', '1']}));
  assert.ok(sameValue({M: {a: {L: [{SS: ['a', 'b']}]}}}, {M: {a: {L: [{SS: ['b', 'a']}]}}}));
  assert.ok(!sameValue({SS: ['a', 'b']}, {SS: ['a', 'c']}));
});

test('the order of a list means something, also in an attribute that is named as a set is', () => {
  assert.ok(!sameValue({L: [{S: 'a'}, {S: 'b'}]}, {L: [{S: 'b'}, {S: 'a'}]}));
  assert.ok(!sameValue({M: {SS: {L: [{S: 'a'}, {S: 'b'}]}}}, {M: {SS: {L: [{S: 'b'}, {S: 'a'}]}}}));
});

test('comparing does not reorder the sets that are shown', () => {
  const attribute = {SS: ['b', 'a']};
  sameValue(attribute, {SS: ['a', 'b']});
  assert.deepEqual(attribute, {SS: ['b', 'a']});
});

test('an unchanged page has nothing to mark', () => {
  const page = [item('a', 1), item('b')];
  assert.deepEqual(compare(page, page, {a: 'modify', c: 'insert'}), {
    gone: new Map(),
    marks: new Map(),
    changed: new Map(),
  });
});

test('an item that came was inserted, or changed so that it came in', () => {
  const {gone, marks} = compare([item('a')], [item('a'), item('b'), item('c')], {b: 'insert', c: 'modify'});
  assert.deepEqual(
    [...marks],
    [
      ['b', 'inserted'],
      ['c', 'entered'],
    ],
  );
  assert.equal(gone.size, 0);
});

test('an item that went was removed, or changed so that it left', () => {
  const {gone, marks} = compare([item('a'), item('b'), item('c')], [item('a')], {b: 'remove', c: 'modify'});
  assert.deepEqual(
    [...gone],
    [
      ['b', 'removed'],
      ['c', 'left'],
    ],
  );
  assert.equal(marks.size, 0);
});

test('an item that another one shifted is not marked', () => {
  const {gone, marks} = compare([item('a'), item('b')], [item('0'), item('a')], {0: 'insert'});
  assert.deepEqual([...gone], [['b', undefined]]);
  assert.deepEqual([...marks], [['0', 'inserted']]);
});

test('an item that was inserted and is gone, or removed and is there, is not marked', () => {
  const {gone, marks} = compare([item('a')], [item('b')], {a: 'insert', b: 'remove'});
  assert.deepEqual([...gone], [['a', undefined]]);
  assert.equal(marks.size, 0);
});

test('a changed item names the attributes that differ', () => {
  const {marks, changed} = compare([item('a', 1), item('b'), item('c', 3)], [item('a', 2), item('b', 5), item('c')]);
  assert.deepEqual(
    [...marks],
    [
      ['a', 'changed'],
      ['b', 'changed'],
      ['c', 'changed'],
    ],
  );
  assert.deepEqual([...changed.values()], [new Set(['n']), new Set(['n']), new Set(['n'])]);
});

test('an attribute that is no column changes nothing', () => {
  const hidden = {...item('a', 1), x: {S: 'other'}};
  assert.equal(compare([item('a', 1)], [hidden], {a: 'modify'}).marks.size, 0);
});

test('items and attributes may have any name', () => {
  const odd = JSON.parse('{"id": {"S": "__proto__"}, "__proto__": {"N": "1"}, "constructor": {"N": "1"}}');
  Object.setPrototypeOf(odd, null);
  assert.deepEqual([...attributeNames([odd])], ['id', '__proto__', 'constructor']);
  const plain = Object.assign(Object.create(null), {id: {S: '__proto__'}});
  const before = new Map([['__proto__', {item: plain}]]);
  const after = new Map([['__proto__', odd]]);
  const {changed} = comparePages(before, after, ['id', '__proto__', 'constructor'], new Map());
  assert.deepEqual([...changed], [['__proto__', new Set(['__proto__', 'constructor'])]]);
});

test('columns are kept, and new attributes follow them', () => {
  assert.deepEqual(columnsFor(['id'], [{n: {}, id: {}}, {m: {}}], ''), ['id', 'n', 'm']);
  assert.deepEqual(columnsFor(['id', 'gone'], [{n: {}}], ''), ['id', 'gone', 'n']);
  assert.deepEqual(columnsFor(['id'], [], ''), ['id']);
});

test('with fields, only what they name is a column', () => {
  const items = [{id: {}, 'a.b': {}, c: {}, 'd,e': {}}];
  assert.deepEqual(columnsFor(['id'], items, 'a\\.b.x[0],zz'), ['id', 'a.b']);
  assert.deepEqual(columnsFor(['id'], items, '["d,e","c[1]"]'), ['id', 'c', 'd,e']);
});
