// How far the page has followed the changes of the table, and whether the view shows them yet.

// An answer without X-Position, from an index just after a change, is asked for again when the index has settled.
const SETTLE_SECONDS = 6;

/**
 * The `position` of the last change that the page knows, null before the first; the position that the view has to have
 * reached; the time in ms when the last changes came; the time from which the view is to be read again; and the changes
 * that it does not show yet, by identity.
 */
export const progress = {
  /** @type {number | null} */
  position: null,
  reach: 0,
  changedAt: 0,
  readFrom: Infinity,
  /** @type {Map<string, Operation>} */
  operations: new Map(),
};

/**
 * Note that the view has to reach this position.
 *
 * @param {number} position
 * @param {number} now in ms
 */
export function expectPosition(position, now = Date.now()) {
  Object.assign(progress, {reach: position, changedAt: now, readFrom: now});
}

/**
 * Note an operation on an item that the view may show.
 *
 * @param {string} id
 * @param {Operation} operation
 */
export function noteOperation(id, operation) {
  // What was inserted and then changed is still new in this view.
  if (operation === 'modify' && progress.operations.get(id) === 'insert') return;
  progress.operations.set(id, operation);
}

/**
 * Note the X-Position of an answer that the view shows: it says whether the view has to be read again, and when.
 *
 * @param {string | null} position
 * @param {number} now in ms
 */
export function settle(position, now = Date.now()) {
  const settledAt = progress.changedAt + SETTLE_SECONDS * 1000;
  if (position) progress.readFrom = Number(position) >= progress.reach ? Infinity : 0;
  else progress.readFrom = now < settledAt ? settledAt : Infinity;
}

/** Forget the operations, where the view shows all of them. */
export function forgetShown() {
  if (progress.readFrom === Infinity) progress.operations = new Map();
}
