/** Definition of a state machine: its text, with intrinsic functions and dynamic references taken out as substitutions. */
import type { Json, JsonObject } from '../../tree.ts';
import { isMap } from '../checks.ts';
import { isIntrinsic } from '../intrinsics.ts';
import { compareText, numberAt, quotedJson, scalarJson } from '../python.ts';

/** Replaces what CloudFormation must resolve by `${definition_substitution_N}`, in place, in the order of keys. */
export function takeOutIntrinsics(definition: JsonObject): JsonObject {
  const substitutions: JsonObject = {};
  let number = 0;
  const visit = (value: Json): Json => {
    if (isIntrinsic(value) || isDynamicReference(value)) {
      number += 1;
      substitutions[`definition_substitution_${number}`] = value;
      return `\${definition_substitution_${number}}`;
    }
    if (Array.isArray(value)) {
      for (const [index, each] of value.entries()) value[index] = visit(each);
    } else if (isMap(value)) {
      for (const key of Object.keys(value).sort(compareText)) value[key] = visit(value[key] as Json);
    }
    return value;
  };
  for (const key of Object.keys(definition).sort(compareText)) definition[key] = visit(definition[key] as Json);
  return substitutions;
}

function isDynamicReference(value: Json): boolean {
  return typeof value === 'string' && /^\{\{resolve:([a-z-]+):(.+)\}\}$/.test(value);
}

/** The lines of the JSON, joined by CloudFormation. */
export function definitionString(definition: JsonObject): JsonObject {
  return { 'Fn::Join': ['\n', indented(definition, '').split('\n')] };
}

/** `json.dumps(definition, sort_keys=True, indent=4, separators=(",", ": "))`. */
function indented(value: Json, indent: string): string {
  const inner = `${indent}    `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((_, index) => inner + memberText(value, index, inner)).join(',\n')}\n${indent}]`;
  }
  if (isMap(value)) {
    const keys = Object.keys(value).sort(compareText);
    if (keys.length === 0) return '{}';
    const members = keys.map((key) => `${inner}${quotedJson(key)}: ${memberText(value, key, inner)}`);
    return `{\n${members.join(',\n')}\n${indent}}`;
  }
  return scalarJson(value);
}

function memberText(holder: JsonObject | Json[], key: string | number, indent: string): string {
  return numberAt(holder, key) ?? indented((holder as JsonObject)[key] as Json, indent);
}
