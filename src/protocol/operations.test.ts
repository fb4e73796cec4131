import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateProtocol } from '../../scripts/generate-protocol.ts';
import { MODEL_EXCEPTIONS } from './generated/exceptions.ts';
import { OPERATION_NAMES, operationRow, shapeRow } from './operations.ts';
import { SERVICE_ERRORS } from './service-errors.ts';

const ROOT = resolve(import.meta.dirname, '../..');

describe('generated protocol tables', () => {
  it.each([...generateProtocol(ROOT)])('%s is what the model gives', (file, text) => {
    expect(readFileSync(join(ROOT, file), 'utf8')).toBe(text);
  });

  it('hold every operation of the model with shapes that exist', () => {
    expect(OPERATION_NAMES).toHaveLength(85);
    for (const name of OPERATION_NAMES) {
      const { input, output } = operationRow(name);
      for (const shape of [input, output]) if (shape) expect(shapeRow(shape).type).toBe('structure');
    }
  });

  it('bind every parameter of a path to a member of the input', () => {
    for (const name of OPERATION_NAMES) {
      const { path, input } = operationRow(name);
      const inPath = [...path.matchAll(/\{(\w+)\+?\}/g)].map((match) => match[1]);
      const bound = Object.values(input ? (shapeRow(input).members ?? {}) : {}).filter((member) => member.in === 'uri');
      expect(bound.map((member) => member.name).sort()).toEqual(inPath.sort());
    }
  });

  it('have only patterns that JavaScript understands', () => {
    for (const { pattern } of OPERATION_NAMES.flatMap((name) => shapesBelow(operationRow(name).input))) {
      if (pattern !== undefined) expect(() => new RegExp(`^(?:${pattern})$`)).not.toThrow();
    }
  });
});

describe('service errors', () => {
  it.each(Object.keys(MODEL_EXCEPTIONS))('%s has the status, spelling and blame of the model', (name) => {
    const row = (SERVICE_ERRORS as Record<string, { status: number; messageKey: string; type?: string }>)[name];
    // The front end, not the service, measures requests, and signs its refusal differently.
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
