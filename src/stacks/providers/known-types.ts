/** The facts of CloudFormation's resource types that checking a template takes. */
import type { CheckOptions } from '../../template/check-template.ts';

/** Loads the table of types, which is large, on first use. */
export async function knownTypes(): Promise<Pick<CheckOptions, 'typeOf' | 'typeNames'>> {
  const [{ loadResourceTypes, resourceType }, { RESOURCE_TYPE_ROWS }] = await Promise.all([
    import('./type-table.ts'),
    import('../generated/resource-types.ts'),
  ]);
  await loadResourceTypes();
  const typeOf = (name: string) => {
    const type = resourceType(name);
    return type && { properties: [...type.properties], required: type.required, attributes: [...type.attributes] };
  };
  const typeNames = RESOURCE_TYPE_ROWS.split('\n').map((row) => row.slice(0, Math.max(0, row.indexOf('|'))));
  return { typeOf, typeNames };
}
