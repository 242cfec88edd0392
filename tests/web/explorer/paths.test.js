import assert from 'node:assert/strict';
import test from 'node:test';
import {
  conditionName,
  firstName,
  formatList,
  parseList,
  quoteValue,
  splitCondition,
  toPath,
} from '../../../chalicelib/web/explorer/paths.js';

const operators = {eq: {}, gt: {}, exists: {}};
const odd = [
  '',
  'a',
  'a.b',
  '[1]',
  'a[0]',
  'a\\b',
  '\\',
  'a,b',
  'q"uote',
  '"quoted"',
  '__proto__',
  'a__gt',
  '이름',
  ' ',
];

test('dots, brackets and backslashes of a name are escaped in its path', () => {
  assert.equal(toPath('a.b[1]\\c'), 'a\\.b\\[1]\\\\c');
  assert.equal(toPath('plain name, "quoted"'), 'plain name, "quoted"');
});

for (const name of odd.filter(Boolean)) {
  test(`the path of the name ${JSON.stringify(name)} begins with that name`, () => {
    for (const rest of ['', '.b', '[0].c']) assert.equal(firstName(toPath(name) + rest), name);
  });
}

test('a path that begins with no name has none', () => {
  for (const path of ['', '.a', '[0]']) assert.equal(firstName(path), undefined);
});

test('a condition ends in the name of an operator, or is an equality', () => {
  assert.deepEqual(splitCondition('mag__gt', operators), ['mag', 'gt']);
  assert.deepEqual(splitCondition('mag', operators), ['mag', 'eq']);
  assert.deepEqual(splitCondition('a__gt__exists', operators), ['a__gt', 'exists']);
  assert.deepEqual(splitCondition('line\nbreak__gt', operators), ['line\nbreak', 'gt']);
});

test('what is not an operator is part of the name', () => {
  for (const name of ['net__constructor', 'net__toString', 'net____proto__', 'mag__', '__gt', '_sort', '']) {
    assert.deepEqual(splitCondition(name, operators), [name, 'eq']);
  }
});

for (const name of [...odd.filter(Boolean), '_x', '_sort', 'a__eq', '__gt']) {
  test(`the condition of ${JSON.stringify(name)} is read as it was written`, () => {
    for (const operator of Object.keys(operators)) {
      const written = conditionName(toPath(name), operator, operators);
      assert.deepEqual(splitCondition(written, operators), [toPath(name), operator]);
    }
  });
}

test('an equality is written without its operator where nothing else could be meant', () => {
  assert.equal(conditionName('net', 'eq', operators), 'net');
  assert.equal(conditionName('_x', 'eq', operators), '_x__eq');
  assert.equal(conditionName('a__gt', 'eq', operators), 'a__gt__eq');
});

test('only a value that begins with a quote is quoted', () => {
  assert.equal(quoteValue('"a"'), '"\\"a\\""');
  for (const value of ['', 'a"b', 'a,b', '12345678901234567890123456789012345678'])
    assert.equal(quoteValue(value), value);
});

test('a list of fields is written between commas where no name has a comma, a quote or a first bracket', () => {
  assert.equal(formatList(['mag', 'a.b', 'c[0]']), 'mag,a.b,c[0]');
  assert.equal(formatList([]), '');
  assert.equal(formatList(['mag', 'a,b']), '["mag","a,b"]');
  assert.equal(formatList(['[1]']), '["[1]"]');
});

for (const names of [...odd.map(name => [name]), odd, ['x', '[1]'], ['[1]', 'x'], ['', '']]) {
  test(`a list is read as it was written: ${JSON.stringify(names)}`, () => {
    assert.deepEqual(parseList(formatList(names)), names);
  });
}

test('a list that people write is read too', () => {
  assert.deepEqual(parseList('"a",b'), ['a', 'b']);
  assert.deepEqual(parseList('[1, true]'), ['1', 'true']);
  assert.deepEqual(parseList('[not json,b'), ['[not json', 'b']);
  assert.deepEqual(parseList('"open,b'), ['"open', 'b']);
});
