// A table as GET / describes it: an index with a sort key, one without, and names that need care.

export const description = {
  table: 'orders',
  keys: {partition: {name: 'customer', type: 'S'}, sort: {name: 'placed.at', type: 'N'}},
  indexes: [
    {
      name: 'by_state',
      kind: 'global',
      partition: {name: 'state', type: 'S'},
      sort: {name: 'placed.at', type: 'N'},
      projection: ['customer', 'note', 'placed.at', 'state'],
    },
    {name: 'by_code', kind: 'global', partition: {name: '_code', type: 'B'}, sort: null, projection: null},
  ],
  attributes: null,
  operators: {
    eq: {description: 'is', operand: 'value', keys: ['B', 'N', 'S']},
    gt: {description: 'is greater than', operand: 'value', keys: ['N', 'S']},
    exists: {description: 'exists', operand: 'true or false', keys: []},
  },
  limit: {default: 100, most: 1000},
  links: {items: 'items', openapi: 'openapi.json'},
};
