import assert from 'node:assert/strict';
import test from 'node:test';
import {byteCount, toJson, typeAndValue} from '../../../chalicelib/web/explorer/values.js';

const digits = '12345678901234567890.123456789012345678';

test('a value is its type and what is of it', () => {
  assert.deepEqual(typeAndValue({N: '5'}), ['N', '5']);
  assert.deepEqual(typeAndValue({M: {}}), ['M', {}]);
});

for (const [attribute, json] of [
  [{S: ''}, '""'],
  [{S: 'a "b"\n\u2028\\'}, JSON.stringify('a "b"\n\u2028\\')],
  [{N: digits}, digits],
  [{N: '12345678901234567890123456789012345678'}, '12345678901234567890123456789012345678'],
  [{N: '1E-130'}, '1E-130'],
  [{B: 'AAE='}, '"AAE="'],
  [{BOOL: false}, 'false'],
  [{NULL: true}, 'null'],
  [{L: []}, '[]'],
  [{M: {}}, '{}'],
  [{SS: ['a', '"b"']}, '[\n  "a",\n  "\\"b\\""\n]'],
  [{NS: ['1', digits]}, `[\n  1,\n  ${digits}\n]`],
  [{BS: ['AAE=']}, '[\n  "AAE="\n]'],
]) {
  test(`${JSON.stringify(attribute)} is written as JSON`, () => {
    assert.equal(toJson(attribute), json);
  });
}

test('nested values are indented by their depth', () => {
  const attribute = {M: {list: {L: [{N: '1.50'}, {M: {a: {NULL: true}}}, {L: []}]}, S: {S: 'x'}}};
  assert.equal(
    toJson(attribute),
    '{\n  "list": [\n    1.50,\n    {\n      "a": null\n    },\n    []\n  ],\n  "S": "x"\n}',
  );
});

test('a member may have any name', () => {
  const map = JSON.parse('{"__proto__": {"S": "a"}, "constructor": {"N": "1"}, "": {"S": "b"}, "q\\"": {"S": ""}}');
  assert.equal(toJson({M: map}), '{\n  "__proto__": "a",\n  "constructor": 1,\n  "": "b",\n  "q\\"": ""\n}');
});

test('a binary has the size of its bytes, not of its base64', () => {
  assert.equal(byteCount(''), '0 bytes');
  assert.equal(byteCount('AA=='), '1 byte');
  assert.equal(byteCount('AAE='), '2 bytes');
  assert.equal(byteCount('AAEC'), '3 bytes');
  assert.equal(byteCount('AAEC'.repeat(1000)), '3,000 bytes');
});
