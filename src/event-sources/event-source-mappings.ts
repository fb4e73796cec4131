/**
 * Event source mappings: which queue or stream invokes which function, and how. The pollers apply them. Deleting a
 * function keeps its mappings.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { FunctionDirectory } from '../functions/function-directory.ts';
import { renderEventSourceMappingArn, renderFunctionArn } from '../protocol/arn.ts';
import type { Scope } from '../protocol/names.ts';
import { ServiceError } from '../protocol/service-errors.ts';
import type { Database } from '../storage/database.ts';
import { type Page, pageOf, positionOrStart } from '../storage/page.ts';
import {
  alreadyMapped,
  checkMembers,
  checkNewMapping,
  defaultMembers,
  type EventSourceMapping,
  isDuplicate,
  type MappingMembers,
  refusal,
} from './mapping-rules.ts';

export type MappingDraft = {
  readonly functionName: string | undefined;
  readonly qualifier: string | undefined;
  readonly enabled: boolean | undefined;
  readonly members: MappingMembers;
};

export type MappingListRequest = {
  readonly marker: string | undefined;
  readonly maxItems: number;
  readonly eventSourceArn: string | undefined;
  readonly functionName: string | undefined;
};

export type EventSourceMappings = {
  create(
    scope: Scope,
    draft: MappingDraft & { readonly eventSourceArn: string | undefined },
    tags: Readonly<Record<string, string>>,
  ): EventSourceMapping;
  update(scope: Scope, uuid: string, draft: MappingDraft): EventSourceMapping;
  get(scope: Scope, uuid: string): EventSourceMapping;
  remove(scope: Scope, uuid: string): EventSourceMapping;
  list(scope: Scope, request: MappingListRequest): Page<EventSourceMapping>;
  setTags(scope: Scope, uuid: string, tags: Readonly<Record<string, string>>): void;
  /** The mappings of all scopes. */
  everywhere(): { readonly scope: Scope; readonly mapping: EventSourceMapping }[];
  /** Calls `listener` after each change. Returns a function that stops it. */
  onChange(listener: MappingListener): () => void;
};

/** `mapping` is undefined when it was removed. */
export type MappingListener = (scope: Scope, uuid: string, mapping: EventSourceMapping | undefined) => void;

type Row = { uuid: string; document: string };

/** All methods throw `ServiceError`s as AWS does. */
export function createEventSourceMappings({
  database,
  directory,
  clock,
}: {
  database: Database;
  directory: FunctionDirectory;
  clock: Clock;
}): EventSourceMappings {
  const ofScope = 'region = :region AND account = :account';
  const get = database.prepare<Row>(`SELECT * FROM event_source_mapping WHERE ${ofScope} AND uuid = :uuid`);
  const put = database.prepare(
    'INSERT OR REPLACE INTO event_source_mapping VALUES (:region, :account, :uuid, :document)',
  );
  const remove = database.prepare(`DELETE FROM event_source_mapping WHERE ${ofScope} AND uuid = :uuid`);
  const list = database.prepare<Row>(`SELECT * FROM event_source_mapping WHERE ${ofScope} ORDER BY uuid`);
  const everywhere = database.prepare<Row & { region: string; account: string }>('SELECT * FROM event_source_mapping');
  const listeners = new Set<MappingListener>();
  const notify: MappingListener = (scope, uuid, mapping) => {
    for (const listener of listeners) listener(scope, uuid, mapping);
  };

  const mappingOf = (row: Row): EventSourceMapping => JSON.parse(row.document);
  const found = ({ region, account }: Scope, uuid: string): EventSourceMapping => {
    const row = get.get({ region, account, uuid: uuid.toLowerCase() });
    if (row !== undefined) return mappingOf(row);
    throw new ServiceError('ResourceNotFoundException', 'The resource you requested does not exist.');
  };
  const save = ({ region, account }: Scope, mapping: EventSourceMapping) => {
    put.run({ region, account, uuid: mapping.uuid, document: JSON.stringify(mapping) });
    return mapping;
  };
  const all = ({ region, account }: Scope) => list.all({ region, account }).map(mappingOf);

  function requireTarget(scope: Scope, name: string | undefined, qualifier: string | undefined): string {
    if (name === undefined || !directory.has(scope, name, qualifier)) throw refusal('Function does not exist');
    return name;
  }

  return {
    create(scope, draft, tags) {
      const { eventSourceArn, members, qualifier } = draft;
      const source = checkNewMapping(eventSourceArn, members);
      const functionName = requireTarget(scope, draft.functionName, qualifier);
      const functionArn = renderFunctionArn(scope, functionName, qualifier);
      const uuid = randomUUID();
      const mapping: EventSourceMapping = {
        uuid,
        arn: renderEventSourceMappingArn(scope, uuid),
        functionArn,
        functionName,
        eventSourceArn,
        source,
        state: draft.enabled === false ? 'Disabled' : 'Enabled',
        lastModifiedMs: clock.epochMs(),
        members: { ...defaultMembers(source, uuid), ...members },
        tags,
      };
      const duplicate = all(scope).find((other) => isDuplicate(other, mapping));
      if (duplicate !== undefined) throw alreadyMapped(duplicate);
      notify(scope, uuid, save(scope, mapping));
      return mapping;
    },
    update(scope, uuid, draft) {
      const present = found(scope, uuid);
      const members = { ...present.members, ...draft.members };
      checkMembers(present.source, present.eventSourceArn, members);
      const functionName =
        draft.functionName === undefined
          ? present.functionName
          : requireTarget(scope, draft.functionName, draft.qualifier);
      const mapping = save(scope, {
        ...present,
        functionName,
        functionArn:
          draft.functionName === undefined
            ? present.functionArn
            : renderFunctionArn(scope, functionName, draft.qualifier),
        state: draft.enabled === undefined ? present.state : draft.enabled ? 'Enabled' : 'Disabled',
        lastModifiedMs: clock.epochMs(),
        members,
      });
      notify(scope, mapping.uuid, mapping);
      return mapping;
    },
    get: found,
    remove(scope, uuid) {
      const mapping = found(scope, uuid);
      remove.run({ region: scope.region, account: scope.account, uuid: mapping.uuid });
      notify(scope, mapping.uuid, undefined);
      return mapping;
    },
    list(scope, { marker, maxItems, eventSourceArn, functionName }) {
      const [after] = positionOrStart(marker, ['']);
      const matching = all(scope).filter(
        (mapping) =>
          mapping.uuid > after &&
          (eventSourceArn === undefined || mapping.eventSourceArn === eventSourceArn) &&
          (functionName === undefined || mapping.functionName === functionName),
      );
      return pageOf(matching.slice(0, maxItems + 1), maxItems, ({ uuid }) => [uuid]);
    },
    setTags(scope, uuid, tags) {
      save(scope, { ...found(scope, uuid), tags });
    },
    everywhere: () =>
      everywhere.all().map((row) => ({ scope: { region: row.region, account: row.account }, mapping: mappingOf(row) })),
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
