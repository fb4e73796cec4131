/** What the APIs of one template share while it is transformed. */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap, member } from '../checks.ts';
import { isTruthy } from '../python.ts';
import { type ApiBody, apiBody, isOpenApi3 } from './body-paths.ts';
import type { KeyOrders } from './key-orders.ts';
import { fromTemplate, isPythonMap, isTrue, own, type PythonMap, type PythonValue } from './python27-values.ts';
import type { RecordSetGroups } from './record-sets.ts';
import { type SharedUsagePlan, sharedUsagePlan } from './usage-plan.ts';

/** Marks an API whose body the transform writes, in its properties, while the template is transformed. */
export const MANAGED = '__MANAGE_SWAGGER';

export class ApiState {
  /** Names of the functions of each API, by the API's logical id. */
  readonly functionNames = new Map<string, string>();
  /** The implicit APIs that the template has events for. */
  readonly implicitApis = new Set<string>();
  /** Events of HTTP APIs without a path and a method, by the ids of the function and the event. */
  readonly defaultRoutes = new Set<string>();
  /** APIs whose `OpenApiVersion` is a number in the template; the translator writes it as text. */
  readonly numericVersions = new Set<string>();
  readonly recordSetGroups: RecordSetGroups = new Map();
  readonly usagePlan: SharedUsagePlan = sharedUsagePlan();
  /** Seconds since 1970: what `AlwaysDeploy` hashes. */
  readonly seconds: () => number;
  /** The orders of maps of the template. */
  orders: KeyOrders | undefined;
  readonly #bodies = new Map<string, ApiBody>();
  readonly #managed = new Set<string>();

  constructor(seconds: () => number) {
    this.seconds = seconds;
  }

  /** The body of an API as edited so far; undefined without `DefinitionBody`. */
  bodyOf(logicalId: string, properties: JsonObject): ApiBody | undefined {
    const known = this.#bodies.get(logicalId);
    if (known !== undefined) {
      if (this.#managed.delete(logicalId)) {
        const version = member(properties, 'OpenApiVersion');
        setVersion(known.doc, version, this.numericVersions.has(logicalId));
      }
      return known;
    }
    const definition = member(properties, 'DefinitionBody');
    if (!isMap(definition)) return undefined;
    const doc = fromTemplate(definition);
    return isPythonMap(doc) ? this.setBody(logicalId, doc) : undefined;
  }

  /** A value of the template, with its maps in the order of the translator. */
  read(value: Json): PythonValue {
    return fromTemplate(value, (map) => this.orders?.orderOf(map));
  }

  /** Gives an API a body, in place of the one that it has. */
  setBody(logicalId: string, doc: PythonMap): ApiBody {
    const body = apiBody(doc);
    this.#bodies.set(logicalId, body);
    return body;
  }

  /** Gives an API a body that the transform writes. Its version of OpenAPI is known after Globals. */
  manage(logicalId: string, doc: PythonMap): void {
    this.setBody(logicalId, doc);
    this.#managed.add(logicalId);
  }

  /** The body of an API before Globals; undefined unless the transform writes it. */
  managedBody(logicalId: string): ApiBody | undefined {
    return this.#managed.has(logicalId) ? this.#bodies.get(logicalId) : undefined;
  }

  /** `StageName` of an API; that of an implicit API is text of the translator. */
  stageName(logicalId: string, properties: JsonObject): PythonValue {
    const name = member(properties, 'StageName') ?? null;
    return typeof name === 'string' && this.implicitApis.has(logicalId) ? own(name) : fromTemplate(name);
  }

  forget(logicalId: string): void {
    this.#bodies.delete(logicalId);
    this.#managed.delete(logicalId);
  }
}

/** A body that the transform writes is one of Swagger 2, unless the template asks for OpenAPI 3. */
function setVersion(doc: PythonMap, version: Json | undefined, isNumber: boolean): void {
  if (typeof version !== 'string' || !isOpenApi3(version)) return;
  doc.set(own('openapi'), isNumber ? own(version) : version);
  if (isTrue(doc.get('swagger'))) doc.delete('swagger');
}

/** Whether the transform writes the body of an API with these properties. */
export const isManaged = (properties: JsonObject): boolean => isTruthy(member(properties, MANAGED));
