/** Finds the operation for a request's method and path, by the generated table. Pure, except for a cache. */
import type { OperationName } from '../protocol/operations.ts';
import { OPERATION_NAMES, operationRow } from '../protocol/operations.ts';

export type RouteMatch = {
  readonly operation: OperationName;
  /** Percent-decoded. */
  readonly pathParameters: Readonly<Record<string, string>>;
};

type Node = {
  readonly fixed: Map<string, Node>;
  parameter: Node | undefined;
  /** The operations whose path ends here. Those that require a query parameter come first. */
  readonly operations: {
    readonly name: OperationName;
    readonly method: string;
    readonly query: string[] | undefined;
  }[];
};

/** A parsed request target. */
export type Target = {
  readonly path: string;
  readonly query: URLSearchParams;
  /** Undefined when Lambda has no such operation. */
  readonly match: RouteMatch | undefined;
};

export type Targets = {
  /** Returns the same object for the same method and URL as long as it is cached. */
  find(method: string, url: string): Target;
};

/** Most calls go to a few targets. */
const MAX_CACHED_TARGETS = 1000;

/** Parses targets, with a cache. */
export function createTargets(): Targets {
  const cache = new Map<string, Target>();
  return {
    find(method, url) {
      const key = `${method} ${url}`;
      const cached = cache.get(key);
      if (cached !== undefined) return cached;
      const queryStart = url.indexOf('?');
      const path = queryStart < 0 ? url : url.slice(0, queryStart);
      const query = new URLSearchParams(queryStart < 0 ? '' : url.slice(queryStart + 1));
      const target = { path, query, match: matchOperation(method, path, query) };
      if (cache.size >= MAX_CACHED_TARGETS) cache.clear();
      cache.set(key, target);
      return target;
    },
  };
}

const ROUTES = buildRoutes();

/** The operation of a request; undefined when Lambda has no such operation. Ignores a trailing slash. */
export function matchOperation(method: string, path: string, query: URLSearchParams): RouteMatch | undefined {
  const segments = path.split('/');
  if (segments.at(-1) === '') segments.pop();
  const values: string[] = [];
  let node: Node | undefined = ROUTES;
  for (let index = 1; index < segments.length && node !== undefined; index++) {
    const segment = segments[index] ?? '';
    const next: Node | undefined = node.fixed.get(segment);
    if (next === undefined && node.parameter !== undefined) values.push(decode(segment));
    node = next ?? node.parameter;
  }
  const found = node?.operations.find(
    (operation) =>
      operation.method === method && (!operation.query || query.get(operation.query[0] ?? '') === operation.query[1]),
  );
  if (found === undefined) return undefined;
  const names = PARAMETERS.get(found.name) ?? [];
  return {
    operation: found.name,
    pathParameters: Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])),
  };
}

const PARAMETERS: ReadonlyMap<OperationName, readonly string[]> = new Map(
  OPERATION_NAMES.map((name) => [
    name,
    [...operationRow(name).path.matchAll(/\{(\w+)\+?\}/g)].map((match) => match[1] ?? ''),
  ]),
);

function buildRoutes(): Node {
  const root = newNode();
  for (const name of OPERATION_NAMES) {
    const { method, path, query } = operationRow(name);
    let node = root;
    for (const segment of path.split('/').slice(1)) {
      if (segment.startsWith('{')) {
        node.parameter ??= newNode();
        node = node.parameter;
      } else {
        const next = node.fixed.get(segment) ?? newNode();
        node.fixed.set(segment, next);
        node = next;
      }
    }
    const row = { name, method, query: query?.split('=') };
    if (row.query) node.operations.unshift(row);
    else node.operations.push(row);
  }
  return root;
}

function newNode(): Node {
  return { fixed: new Map(), parameter: undefined, operations: [] };
}

/** Invalid percent-encoding is left as is and then fails the parameter's pattern. */
function decode(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
