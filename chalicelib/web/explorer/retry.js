// A problem that the view or the page has, and the next try where one may help.

import {showText} from './dom.js';
import {backoffSeconds, isTransient} from './problem.js';

let failures = 0;
/** @type {number | undefined} */
let timer;

/**
 * Show a problem, and try again later where that may help.
 *
 * @param {import('./problem.js').Problem} problem
 * @param {() => void} again
 */
export function showProblem(problem, again) {
  clearProblem();
  if (!isTransient(problem)) {
    showText('problem', problem.message);
    return;
  }
  const wait = problem.wait ?? backoffSeconds(++failures);
  showText('problem', `${problem.message} Next try in ${wait} s.`);
  timer = setTimeout(again, wait * 1000);
}

/** Hide the problem, and do not try again. */
export function clearProblem() {
  clearTimeout(timer);
  showText('problem', '');
}

/** Begin with a short wait the next time. */
export function resetWait() {
  failures = 0;
}
