// What goes wrong with a request, and whether to try again.

const LONGEST_WAIT_SECONDS = 60;

/** An answer with an error status, none at all (status 0), or one with which another try is of no use (-1). */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} detail for people
   * @param {number | null} wait seconds that the API asks to wait
   */
  constructor(status, detail, wait = null) {
    super(detail);
    this.status = status;
    this.wait = wait;
  }
}

/**
 * Return whether the same request may succeed later.
 *
 * @param {Problem} problem
 */
export const isTransient = ({status}) => status === 0 || status === 429 || status >= 500;

/**
 * Return the seconds to wait before another try: twice as many each time.
 *
 * @param {number} failures up to now
 */
export const backoffSeconds = failures => Math.min(LONGEST_WAIT_SECONDS, 2 ** failures);
