// The JSON that the API answers with, as far as the page reads it, and the page's own records. For tsc only: a module
// names these types in its comments without an import.

/** A value as DynamoDB writes it: one entry, from its type to the value. {"N": "5"}, {"L": [{"S": "a"}]}. */
type AttributeType = 'S' | 'N' | 'B' | 'BOOL' | 'NULL' | 'M' | 'L' | 'SS' | 'NS' | 'BS';
// biome-ignore lint/suspicious/noExplicitAny: what the value is depends on the type beside it
type Attribute = {[type in AttributeType]?: any};
type Item = {[name: string]: Attribute};

/** The name and value of a query parameter, or several of them in their order. */
type Pair = [name: string, value: string];
/** A filter: the path of an attribute, an operator, the text of a value. */
type Condition = [path: string, operator: string, value: string];

// GET /
interface Key {
  name: string;
  type: 'S' | 'N' | 'B';
}
interface Keys {
  partition: Key;
  sort: Key | null;
}
interface Index extends Keys {
  name: string;
  kind: 'global' | 'local';
  projection: string[] | null;
}
interface Description {
  table: string;
  keys: Keys;
  indexes: Index[];
  attributes: string[] | null;
  operators: {[name: string]: {description: string; operand: string; keys: string[]}};
  limit: {default: number; most: number};
  links: {items: string; openapi: string; changes?: string};
}

// GET /items
interface ItemsPage {
  items: Item[];
  next: string | null;
}

// GET /changes
type Operation = 'insert' | 'modify' | 'remove';
interface Change {
  position: number;
  op: Operation;
  at: string;
  key: Item;
}
interface ChangesPage {
  changes: Change[];
  next: number;
  more: boolean;
}

/** An answer of the API: its JSON, its headers, whether it was a 304, and the bytes that its body took. */
interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: of another type for each route
  body: any;
  headers: Headers;
  unchanged: boolean;
  bytes: number | undefined;
}

/** The table, or one of its indexes: what a request can be answered from. */
interface Source extends Keys {
  name: string;
  kind?: string;
  projection: string[] | null;
}

/** Why a row is highlighted. */
type Mark = 'inserted' | 'entered' | 'changed' | 'removed' | 'left';

/** A row of the table of items: its element, its item, the attribute in each cell, and the timer of its mark. */
interface Row {
  tr: HTMLTableRowElement;
  item: Item;
  names: string[];
  timer: number | undefined;
}

/** The request that is shown: its parameters, its columns, its rows by key, and whether all of them are there. */
interface View {
  pairs: Pair[];
  columns: string[];
  rows: Map<string, Row>;
  loaded: boolean;
}

/** Elements of index.html by their id, where HTMLElement does not say enough. */
interface ElementsById {
  ask: HTMLFormElement;
  first: HTMLAnchorElement;
  item: HTMLDialogElement;
  limit: HTMLSelectElement;
  next: HTMLAnchorElement;
  page: HTMLTableSectionElement;
  previous: HTMLAnchorElement;
  sort: HTMLSelectElement;
  url: HTMLInputElement;
  where: HTMLFormElement;
  why: HTMLDetailsElement;
}
