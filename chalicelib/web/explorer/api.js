// Requests to the API.

import {resolveApi} from './address.js';
import {Problem} from './problem.js';

const TIMEOUT_SECONDS = 35;
// A script never sees a 304: fetch gives it the answer that the browser has cached. But for an answer that was
// validated, the browser reports a transfer of 300 bytes (Resource Timing).
const TRANSFER_OF_304 = 300;

/** The URL that the link to this page names; null where it names none. */
export const givenApi = new URLSearchParams(location.search).get('api');
export const apiUrl = resolveApi(location.href);

let blocked = false;
document.addEventListener('securitypolicyviolation', event => {
  blocked ||= event.effectiveDirective === 'connect-src';
});

/**
 * GET a path of the API. Raise a Problem where it does not answer with JSON and a status of success.
 *
 * @param {string} path
 * @param {RequestInit} options
 * @returns {Promise<Answer>}
 */
export async function ask(path, options = {}) {
  const url = new URL(path, apiUrl).href;
  const {response, body} = await fetchJson(url, options);
  if (!response.ok) {
    const detail = body?.detail ?? body?.message ?? `The API answered with status ${response.status}.`;
    throw new Problem(response.status, detail, Number(response.headers.get('Retry-After')) || null);
  }
  if (body === null) throw new Problem(-1, `${url} did not answer with JSON.`);
  const timing = /** @type {PerformanceResourceTiming | undefined} */ (performance.getEntriesByName(url).at(-1));
  performance.clearResourceTimings();
  return {
    body,
    headers: response.headers,
    unchanged: timing?.transferSize === TRANSFER_OF_304,
    bytes: timing?.encodedBodySize,
  };
}

/** @type {(url: string, options: RequestInit) => Promise<{response: Response, body: any}>} */
async function fetchJson(url, options) {
  const headers = {Accept: 'application/json'};
  try {
    const response = await fetch(url, {headers, signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000), ...options});
    return {response, body: await response.json().catch(() => null)};
  } catch {
    throw unreachable();
  }
}

function unreachable() {
  if (blocked) {
    return new Problem(
      -1,
      'This page may only read the API that it came from. ' +
        'To read another one, run make explorer and open out/explorer.html from your disk.',
    );
  }
  return new Problem(
    0,
    `${apiUrl.href} cannot be reached: it is down, you are offline, ` +
      `or it does not let pages of ${location.origin} read it (ALLOW_ORIGIN).`,
  );
}
