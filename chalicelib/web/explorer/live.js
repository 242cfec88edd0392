// Following the changes of the table.

import {formatAddress} from './address.js';
import {ask} from './api.js';
import {addToChart, drawChart, KINDS} from './chart.js';
import {byId, el, showText} from './dom.js';
import {opened, openItem} from './item.js';
import {refreshList, showList} from './list.js';
import {backoffSeconds, Problem} from './problem.js';
import {expectPosition, noteOperation, progress} from './progress.js';
import {identity, keyPairs, keyText, table} from './schema.js';
import {formatNumber} from './text.js';
import {view} from './view.js';

const POLL_SECONDS = 1;
const CHANGES_A_POLL = 500;
const LOG_LENGTH = 50;
// Any change may concern the view, which is read again for it: with no more than this, however many changes there are.
const UNITS_A_SECOND = 10;
const FOREVER_SECONDS = 1e6;

let isPaused = false;
let failedPolls = 0;
// The time from which reading the view again stays below UNITS_A_SECOND.
let restUntil = 0;
/** @type {(value?: unknown) => void} */
let endSleep = () => {};

/** Look for changes now. */
export const wake = () => endSleep();

/** @type {(seconds: number) => Promise<unknown>} */
const sleep = seconds =>
  new Promise(done => {
    endSleep = done;
    // A timer takes no more than 2 ** 31 ms.
    setTimeout(done, Math.min(seconds * 1000, 2e9));
  });

/** Follow the changes for as long as the page is open. */
export async function follow() {
  if (!table.links.changes) {
    showFollowing('Live is off: this API keeps no change feed. Its owner turns it on with FEED_TABLE.');
    return;
  }
  byId('pause').hidden = false;
  byId('news').hidden = false;
  for (;;) {
    const wait = isPaused || document.hidden ? FOREVER_SECONDS : await pollOnce();
    drawChart();
    await sleep(wait);
  }
}

/** @type {(text: string) => void} */
function showFollowing(text) {
  byId('following').textContent = text;
}

/** @type {() => string} */
const positionText = () => formatNumber(progress.position ?? 0);

// Returns the seconds until the next time.
/** @type {() => Promise<number>} */
async function pollOnce() {
  try {
    const more = await poll();
    failedPolls = 0;
    byId('now').hidden = true;
    if (!isPaused) showFollowing(`Following, at position ${positionText()}.`);
    return more ? 0 : POLL_SECONDS;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (problem.status === 410) {
      await startOver();
      return POLL_SECONDS;
    }
    const wait = problem.wait ?? backoffSeconds(failedPolls++);
    showFollowing(`${problem.message} Next try in ${wait} s.`);
    byId('now').hidden = false;
    return wait;
  }
}

async function startOver() {
  showText(
    'notice',
    `This page fell behind: the API no longer keeps the changes after position ${positionText()}. ` +
      'The view was reloaded, and is followed from here.',
  );
  progress.position = null;
  await showList(view.pairs);
}

// Shows the changes since the last time, and returns whether there are more.
/** @type {() => Promise<boolean>} */
async function poll() {
  if (progress.position === null) {
    const {body} = await ask('changes', {cache: 'no-store'});
    progress.position = body.next;
    expectPosition(body.next);
  }
  const limit = Math.min(CHANGES_A_POLL, table.limit.most);
  const path = `changes?_since=${progress.position}&_limit=${limit}&_typed=true`;
  const {changes, next, more} = /** @type {ChangesPage} */ ((await ask(path, {cache: 'no-store'})).body);
  if (isPaused) return false;
  progress.position = next;
  for (const change of changes) noteChange(change);
  if (changes.length) expectPosition(next);
  if (opened && changes.some(change => identity(change.key) === opened?.id)) openItem(opened.pairs);
  if (!view.loaded) progress.operations.clear();
  else if (!more && Date.now() >= Math.max(progress.readFrom, restUntil)) await refresh();
  return more;
}

async function refresh() {
  const units = await refreshList();
  restUntil = Date.now() + (units / UNITS_A_SECOND) * 1000;
}

/** @type {(change: Change) => void} */
function noteChange({at, op, key}) {
  noteOperation(identity(key), op);
  // The clock of the API's machine may be ahead of this one.
  addToChart({at: Math.min(Date.parse(at), Date.now()), operation: op});
  const time = new Date(at).toLocaleTimeString();
  const link = el('a', {href: `#${formatAddress('item', keyPairs(key))}`}, keyText(key));
  const log = byId('log');
  log.prepend(el('li', {}, `${time} ${KINDS[op]} `, link));
  if (log.children.length > LOG_LENGTH) log.lastElementChild?.remove();
}

/** Pause following, or resume it. */
export function togglePause() {
  isPaused = !isPaused;
  byId('now').hidden = true;
  byId('pause').setAttribute('aria-pressed', String(isPaused));
  byId('pause').textContent = isPaused ? 'Resume' : 'Pause';
  if (isPaused) showFollowing(`Paused at position ${positionText()}.`);
  wake();
}
