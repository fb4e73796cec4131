import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../tree.ts';
import { mergeGlobals } from './globals.ts';

function merged(globals: JsonObject, properties: JsonObject, attributes: JsonObject = {}): JsonObject {
  const template = {
    Globals: { Function: globals },
    Resources: { Shop: { Type: 'AWS::Serverless::Function', ...attributes, Properties: properties } },
  };
  mergeGlobals(template);
  expect(template).not.toHaveProperty('Globals');
  return template.Resources.Shop.Properties;
}

const refusal =
  (globals: JsonObject): (() => void) =>
  () =>
    mergeGlobals({ Globals: globals, Resources: { Shop: { Type: 'AWS::Serverless::Function' } } });

describe('Globals', () => {
  it('gives way to scalars of the resource', () => {
    expect(merged({ Timeout: 5, MemorySize: 512 }, { Timeout: 9 })).toEqual({ Timeout: 9, MemorySize: 512 });
  });

  it('merges maps at every level, own keys first', () => {
    const globals = { Environment: { Variables: { A: '1', B: '2' } } };
    expect(merged(globals, { Environment: { Variables: { B: 'own', C: '3' } } })).toEqual({
      Environment: { Variables: { A: '1', B: 'own', C: '3' } },
    });
  });

  it("puts its list before the resource's", () => {
    expect(merged({ Layers: ['base'] }, { Layers: ['own'] })).toEqual({ Layers: ['base', 'own'] });
  });

  it('treats an intrinsic function as a scalar', () => {
    expect(merged({ Timeout: { Ref: 'Slow' } }, { Timeout: { 'Fn::If': ['a', 1, 2] } })).toEqual({
      Timeout: { 'Fn::If': ['a', 1, 2] },
    });
  });

  it('is not shared between resources', () => {
    const template: JsonObject = {
      Globals: { Function: { Tags: { team: 'web' } } },
      Resources: { A: { Type: 'AWS::Serverless::Function' }, B: { Type: 'AWS::Serverless::Function' } },
    };
    mergeGlobals(template);
    const { A, B } = template.Resources as Record<string, { Properties: { Tags: JsonObject } }>;
    expect(A?.Properties.Tags).toEqual(B?.Properties.Tags);
    expect(A?.Properties.Tags).not.toBe(B?.Properties.Tags);
  });

  it('is ignored by a resource as a whole or by property', () => {
    const globals = { Timeout: 5, MemorySize: 512 };
    expect(merged(globals, {}, { IgnoreGlobals: '*' })).toEqual({});
    expect(merged(globals, {}, { IgnoreGlobals: ['Timeout'] })).toEqual({ MemorySize: 512 });
    expect(() => merged(globals, {}, { IgnoreGlobals: ['Role'] })).toThrow(
      "Resource Shop has invalid resource attribute 'IgnoreGlobals' on item 'Role'.",
    );
  });

  it('may not set what is not for all functions', () => {
    expect(refusal({ Function: { Role: 'r' } })).toThrow(
      /'Globals' section is invalid\. 'Role' is not a supported property of 'Function'\. Must be one of the following values - \['Handler', 'Runtime'/,
    );
    expect(refusal({ Table: {} })).toThrow(
      "'Table' is not supported. Must be one of the following values - ['Api', 'CapacityProvider', 'Function', 'HttpApi', 'LayerVersion', 'SimpleTable', 'StateMachine', 'WebSocketApi']",
    );
  });
});
