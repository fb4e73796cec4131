import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as sdk from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { generateProtocol } from '../../scripts/generate-protocol.ts';
import { MODEL_EXCEPTIONS } from './generated/exceptions.ts';
import { SHAPES } from './generated/shapes.ts';
import { compilePattern, OPERATION_NAMES, operationRow, shapeRow } from './operations.ts';
import { SERVICE_ERRORS } from './service-errors.ts';

/** A schema of the SDK: the fifth item holds the names of a structure's members. */
type SdkStructure = readonly [unknown, unknown, unknown, unknown, readonly string[]];

const ROOT = resolve(import.meta.dirname, '../..');

describe('generated protocol tables', () => {
  it.each([...generateProtocol(ROOT)])('%s matches the model', (file, text) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toBe(text);
  });

  it('contain the operations, members and values of the AWS SDK', () => {
    const commands = Object.keys(sdk).flatMap((name) => /^(\w+)Command$/.exec(name)?.[1] ?? []);
    expect(OPERATION_NAMES).toEqual(commands.filter((name) => name !== '$').sort());
    const enums = sdk as unknown as Readonly<Record<string, object | undefined>>;
    const schemas = sdk as unknown as Readonly<Record<string, SdkStructure | undefined>>;
    for (const [name, { type, members = {}, enum: values }] of Object.entries(SHAPES)) {
      if (type === 'structure') {
        expect(Object.keys(members), name).toEqual(expect.arrayContaining([...(schemas[`${name}$`]?.[4] ?? [])]));
      } else if (values !== undefined) {
        expect(values, name).toEqual(expect.arrayContaining(Object.values(enums[name] ?? {})));
      }
    }
  });

  it('contain every operation of the model with existing shapes', () => {
    for (const name of OPERATION_NAMES) {
      const { input, output } = operationRow(name);
      for (const shape of [input, output]) if (shape) expect(shapeRow(shape).type).toBe('structure');
    }
  });

  it('bind every path parameter to a member of the input', () => {
    for (const name of OPERATION_NAMES) {
      const { path, input } = operationRow(name);
      const inPath = [...path.matchAll(/\{(\w+)\+?\}/g)].map((match) => match[1]);
      const bound = Object.values(input ? (shapeRow(input).members ?? {}) : {}).filter((member) => member.in === 'uri');
      expect(bound.map((member) => member.name).sort()).toEqual(inPath.sort());
    }
  });

  it('contain only patterns that are valid in JavaScript', () => {
    for (const { pattern } of OPERATION_NAMES.flatMap((name) => shapesBelow(operationRow(name).input))) {
      if (pattern !== undefined) expect(() => compilePattern(pattern)).not.toThrow();
    }
  });
});

describe('service errors', () => {
  it.each(Object.keys(MODEL_EXCEPTIONS))('%s has the status, spelling and Type of the model', (name) => {
    const row = (SERVICE_ERRORS as Record<string, { status: number; messageKey: string; type?: string }>)[name];
    // AWS's front end measures requests, not the service. Its error has another form.
    if (name === 'RequestTooLargeException') return;
    expect(row).toMatchObject(MODEL_EXCEPTIONS[name] ?? {});
  });
});

function shapesBelow(name: string | undefined, seen = new Set<string>()): ReturnType<typeof shapeRow>[] {
  if (name === undefined || seen.has(name)) return [];
  seen.add(name);
  const row = shapeRow(name);
  const below = [row.member, row.key, row.value, ...Object.values(row.members ?? {}).map((member) => member.shape)];
  return [row, ...below.flatMap((shape) => shapesBelow(shape, seen))];
}
