// The line that says how an answer was read.

import {formatNumber, plural} from './text.js';

/** @type {{[operation: string]: string}} */
const OPERATIONS = {Query: 'Query: reads one partition of', Scan: 'Scan: reads through'};

/**
 * Return an answer's plan and cost: "Query: reads one partition of the index by_net · 1.5 read units · 12 KB sent".
 *
 * @param {Pick<Answer, 'headers' | 'unchanged' | 'bytes'>} answer
 */
export function planText({headers, unchanged, bytes}) {
  const [, operation, index] = /^(\w+)(?: index=(.*))?$/.exec(headers.get('X-Plan') ?? '') ?? [];
  const units = headers.get('X-Consumed-Capacity');
  const milliseconds = /dur=([\d.]+)/.exec(headers.get('Server-Timing') ?? '')?.[1];
  const parts = [
    `${OPERATIONS[operation]} ${index ? `the index ${index}` : 'the table'}`,
    units && plural(Number(units), 'read unit'),
    milliseconds && `${milliseconds} ms in DynamoDB`,
    unchanged ? '304: unchanged, not sent again' : bytes && `${formatNumber(Math.ceil(bytes / 1000))} KB sent`,
  ];
  return parts.filter(Boolean).join(' · ');
}
