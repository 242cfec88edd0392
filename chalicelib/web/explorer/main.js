// The page: it starts here, follows its address, and wires its buttons.

import {encode, formatAddress, parseAddress} from './address.js';
import {apiUrl, ask, givenApi} from './api.js';
import {announce, byId, el, showText} from './dom.js';
import {addFilter} from './filters.js';
import {readForm} from './form.js';
import {closeItem, leaveItem, opened, openItem, setCameFromList} from './item.js';
import {explain, showList} from './list.js';
import {follow, togglePause, wake} from './live.js';
import {isTransient, Problem} from './problem.js';
import {clearProblem, showProblem} from './retry.js';
import {sources, table, useTable} from './schema.js';
import {TYPE_NAMES} from './values.js';
import {view} from './view.js';

const here = () => parseAddress(location.href);

async function start() {
  try {
    useTable(await readDescription());
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    // This page may be on a disk or on another site, without an API.
    const isAlone = givenApi === null && !isTransient(problem);
    byId('where').hidden = !isAlone && givenApi === null;
    if (!isAlone) showProblem(problem, start);
    return;
  }
  clearProblem();
  byId('where').hidden = true;
  describe();
  addEventListener('hashchange', ({oldURL}) => {
    setCameFromList(here().path === 'item' && parseAddress(oldURL).path !== 'item');
    route();
  });
  await route();
  await follow();
}

/** @type {() => Promise<Description>} */
async function readDescription() {
  if (!/^https?:$/.test(apiUrl.protocol)) {
    const example = 'https://abc123.execute-api.us-east-1.amazonaws.com/api/';
    throw new Problem(-1, `${givenApi ?? 'This'} is no URL of an API: it takes one such as ${example}`);
  }
  // In the browser's cache it would replace the page itself: both are at this URL.
  const {body} = await ask('', {cache: 'no-store'});
  if (!body.links?.items) throw new Problem(-1, `${apiUrl.href} answers, but not as a Tablecast API does.`);
  return body;
}

function describe() {
  document.title = `${table.table} · Tablecast`;
  byId('name').textContent = table.table;
  const links = [apiLink(table.links.items, 'as JSON'), apiLink(table.links.openapi, 'OpenAPI')];
  byId('source').replaceChildren(`Read from ${apiUrl.href}`, ...links.flat());
  byId('indexes').replaceChildren(...sources().map(sourceRow));
  byId('schema').hidden = false;
  byId('above').hidden = false;
}

// A link to the API itself; nothing where its description leads elsewhere.
/** @type {(path: string, text: string) => (Node | string)[]} */
function apiLink(path, text) {
  const url = new URL(path, apiUrl);
  return url.origin === apiUrl.origin ? [' · ', el('a', {href: url.href}, text)] : [];
}

/** @type {(source: Source) => HTMLTableRowElement} */
function sourceRow({name, kind, partition, sort, projection}) {
  return el(
    'tr',
    {},
    el('th', {scope: 'row'}, name + (kind ? ` (${kind} index)` : '')),
    el('td', {}, typedName(partition)),
    el('td', {}, typedName(sort)),
    el('td', {}, projection?.join(', ') ?? 'all attributes'),
  );
}

/** @type {(key: Key | null) => string} */
const typedName = key => (key ? `${key.name} (${TYPE_NAMES[key.type]})` : '–');

// Shows what the page's address names.
async function route() {
  const {path, pairs} = here();
  if (path === 'item') {
    const {href} = location;
    if (!view.loaded) await showList(view.pairs);
    if (href === location.href) await openItem(pairs);
    return;
  }
  closeItem();
  showText('notice', '');
  if (view.loaded && formatAddress('items', pairs) === formatAddress('items', view.pairs)) return;
  const isFirst = !view.loaded;
  await showList(pairs);
  if (isFirst) return;
  byId('rows').scrollTop = 0;
  // The link that was followed may be gone.
  if (document.activeElement === document.body) byId('rows').focus();
}

/** @type {(event: Event) => void} */
function submit(event) {
  event.preventDefault();
  const {path, pairs} = here();
  const address = formatAddress('items', readForm());
  if (formatAddress(path, pairs) === address) route();
  else location.hash = address;
}

/** @type {(text: string, what: string) => Promise<void>} */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    announce(`Copied ${what}`);
  } catch {
    prompt(`Copy ${what}:`, text);
  }
}

function wireButtons() {
  byId('skip').onclick = event => {
    event.preventDefault();
    byId('rows').focus();
  };
  byId('where').onsubmit = event => {
    event.preventDefault();
    location.search = `?api=${encode(byId('url').value)}`;
  };
  byId('ask').onsubmit = submit;
  byId('add').onclick = () => addFilter().focus();
  byId('reload').onclick = () => showList(view.pairs, {cache: 'reload'});
  byId('why').ontoggle = explain;
  byId('copy-curl').onclick = () => copy(byId('curl').textContent ?? '', 'the command');
  byId('copy-link').onclick = () => copy(`${apiUrl.href}#${formatAddress('items', view.pairs)}`, 'the link');
  byId('copy-json').onclick = () => copy(opened?.json ?? '', 'the item');
  byId('close').onclick = () => byId('item').close();
  byId('item').onclose = leaveItem;
  byId('now').onclick = wake;
  byId('pause').onclick = togglePause;
  document.addEventListener('visibilitychange', wake);
}

wireButtons();
start();
