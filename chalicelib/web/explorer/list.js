// A page of items: read, shown, and read again.

import {formatAddress} from './address.js';
import {ask} from './api.js';
import {announce, byId, el} from './dom.js';
import {writeForm, writeSuggestions} from './form.js';
import {showPager} from './pager.js';
import {planText} from './plan.js';
import {Problem} from './problem.js';
import {forgetShown, progress, settle} from './progress.js';
import {clearProblem, resetWait, showProblem} from './retry.js';
import {showItems, updateItems} from './rows.js';
import {plural} from './text.js';
import {requestPairs, startView, view} from './view.js';

/**
 * Show the items of a request, or the problem with it.
 *
 * @param {Pair[]} pairs
 * @param {RequestInit} options
 */
export async function showList(pairs, options = {}) {
  const current = startView(pairs);
  clearProblem();
  writeForm();
  byId('rows').setAttribute('aria-busy', 'true');
  try {
    const answer = await read(options);
    if (view === current) await showAnswer(answer);
  } catch (problem) {
    if (view !== current) return;
    if (!(problem instanceof Problem)) throw problem;
    byId('answer').hidden = true;
    showProblem(problem, () => showList(pairs, options));
  } finally {
    if (view === current) byId('rows').removeAttribute('aria-busy');
  }
}

/** @type {(options: RequestInit) => Promise<Answer>} */
async function read(options) {
  const answer = await ask(formatAddress('items', requestPairs()), options);
  // An attribute may be named constructor.
  for (const item of answer.body.items) Object.setPrototypeOf(item, null);
  byId('plan').textContent = planText(answer);
  return answer;
}

/** @type {(answer: Answer) => Promise<void>} */
async function showAnswer({body, headers}) {
  const current = view;
  const position = headers.get('X-Position');
  resetWait();
  progress.position ??= Number(position) || null;
  settle(position);
  byId('answer').hidden = false;
  showPager(body);
  await showItems(body.items);
  if (view !== current) return;
  current.loaded = true;
  announce(`${plural(body.items.length, 'item')}${body.next ? ', and more follow' : ''}`);
  writeSuggestions();
}

/** Read the view again and mark what is different. Return the read units that it took, or 0 where another is shown. */
export async function refreshList() {
  const current = view;
  const {operations} = progress;
  const {body, headers} = await read({cache: 'no-cache'});
  if (view !== current) return 0;
  settle(headers.get('X-Position'));
  // What this answer may lack is marked by the next one.
  forgetShown();
  showPager(body);
  updateItems(body.items, operations);
  return Number(headers.get('X-Consumed-Capacity'));
}

/** Show the reasons of the plan, where they are unfolded. */
export async function explain() {
  if (!byId('why').open) return;
  byId('reasons').replaceChildren();
  try {
    const {body} = await ask(formatAddress('items', [...requestPairs(), ['_explain', 'true']]));
    byId('reasons').replaceChildren(...body.reasons.map((/** @type {string} */ reason) => el('li', {}, reason)));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    byId('reasons').append(el('li', {}, problem.message));
  }
}
