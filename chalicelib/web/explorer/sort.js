// The orders that a request can have.

import {toPath} from './paths.js';

const DIRECTIONS = [
  {sign: '', word: 'ascending'},
  {sign: '-', word: 'descending'},
];

/**
 * Return the options of "Sort by". A source sorts by its sort key where an equality fixes its partition key; an order
 * that no source can give is disabled, and says what it takes.
 *
 * @param {Source[]} sources
 * @param {Set<string>} fixed paths that an equality fixes
 * @param {string} selected the value that is chosen: it stays an option even if it is not possible
 */
export function sortOptions(sources, fixed, selected) {
  const options = new Map([['', {value: '', label: 'no order', disabled: false}]]);
  for (const {partition, sort} of sources) {
    if (!sort) continue;
    const isPossible = fixed.has(toPath(partition.name));
    for (const {sign, word} of DIRECTIONS) {
      const value = sign + sort.name;
      const label = `${sort.name}, ${word}`;
      if (isPossible) options.set(value, {value, label, disabled: false});
      // One line says what the order takes, for both directions.
      else if (!sign && !options.has(value)) options.set(value, impossible(sort.name, partition.name, selected));
    }
  }
  if (!options.has(selected)) options.set(selected, {value: selected, label: selected, disabled: false});
  return [...options.values()];
}

/** @type {(name: string, partition: string, selected: string) => {value: string, label: string, disabled: boolean}} */
function impossible(name, partition, selected) {
  const isSelected = name === selected;
  const label = isSelected ? `${name}, ascending` : `${name}: takes ${partition} is …`;
  return {value: name, label, disabled: !isSelected};
}
