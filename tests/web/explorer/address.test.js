import assert from 'node:assert/strict';
import test from 'node:test';
import {formatAddress, parseAddress, resolveApi} from '../../../chalicelib/web/explorer/address.js';

const page = 'https://site.example/explorer.html';

test('a path without parameters has no question mark', () => {
  assert.equal(formatAddress('items', []), 'items');
});

test('what is common in queries stays readable', () => {
  const pairs = [
    ['time__between', '2018-02-06T19:15:28Z,2018-02-07'],
    ['$path', 'a/b@c'],
  ];
  assert.equal(formatAddress('items', pairs), 'items?time__between=2018-02-06T19:15:28Z,2018-02-07&$path=a/b@c');
});

test('what has a meaning in a query string or behind # is encoded', () => {
  assert.equal(formatAddress('items', [['a&b', '1=2?#%+ "']]), 'items?a%26b=1%3D2%3F%23%25%2B%20%22');
});

for (const pairs of [
  [],
  [['', '']],
  [['net', '']],
  [
    ['net', 'us'],
    ['net', 'nc'],
  ],
  [['__proto__', 'constructor']],
  [['a.b[0]\\.c', '"quoted", and more']],
  [['이름', '100%/../a b?&=#+\n\u0000']],
  [['n', '12345678901234567890123456789012345678']],
]) {
  test(`an address is read as it was written: ${JSON.stringify(pairs)}`, () => {
    assert.deepEqual(parseAddress(`${page}?api=x#${formatAddress('item', pairs)}`), {path: 'item', pairs});
  });
}

test('a page without an address shows all items', () => {
  for (const url of [page, `${page}#`, `${page}#?`]) assert.deepEqual(parseAddress(url), {path: 'items', pairs: []});
});

test('what follows a second # is no part of the address', () => {
  assert.deepEqual(parseAddress(`${page}#items?a=1#b=2`), {path: 'items', pairs: [['a', '1']]});
});

test('the API is the folder that the page is in', () => {
  for (const [url, api] of [
    ['https://a.example/', 'https://a.example/'],
    ['https://a.example/api/?x=1#items', 'https://a.example/api/'],
    ['https://a.example/api', 'https://a.example/api/'],
    ['https://a.example/docs/explorer.html#items?a=/b', 'https://a.example/docs/'],
    ['https://a.example/?api=', 'https://a.example/'],
    ['file:///home/me/explorer.html', 'file:///home/me/'],
  ]) {
    assert.equal(resolveApi(url).href, api);
  }
});

test('the API is the one that the page is opened with', () => {
  for (const [given, api] of [
    ['https://b.example/api', 'https://b.example/api/'],
    ['https://b.example/api/', 'https://b.example/api/'],
    ['https://b.example/api?x=1#items', 'https://b.example/api/'],
    ['ftp://b.example', 'ftp://b.example/'],
  ]) {
    assert.equal(resolveApi(`${page}?api=${encodeURIComponent(given)}`).href, api);
  }
});

test('an API whose URL cannot be read is not one of HTTP', () => {
  for (const given of ['b.example', '/api/', 'https://', 'http://[', '//b.example']) {
    assert.equal(resolveApi(`${page}?api=${encodeURIComponent(given)}`).protocol, 'unreadable:');
  }
});
