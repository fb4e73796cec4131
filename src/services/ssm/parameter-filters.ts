/** Filters of DescribeParameters and GetParametersByPath. */
import { invalid } from './parameter-rules.ts';
import type { Parameter } from './parameter-store.ts';

export type ParameterFilter = {
  readonly Key: string;
  readonly Option?: string | undefined;
  readonly Values?: readonly string[] | undefined;
};

type Tags = Readonly<Record<string, string>>;
type Test = (parameter: Parameter) => boolean;

/** One test for all filters: each must hold. `keys` are those that the operation takes. @throws JsonError */
export function filterParameters(
  filters: readonly ParameterFilter[],
  tagsOf: (parameter: Parameter) => Tags,
  keys: readonly string[],
): Test {
  const tests = filters.map((filter) => testOf(filter, tagsOf, keys));
  return (parameter) => tests.every((test) => test(parameter));
}

function testOf(
  { Key, Option, Values = [] }: ParameterFilter,
  tagsOf: (parameter: Parameter) => Tags,
  keys: readonly string[],
): Test {
  if (Key.startsWith('tag:') && keys.includes('Name')) {
    const key = Key.slice('tag:'.length);
    return (parameter) => {
      const value = tagsOf(parameter)[key];
      return value !== undefined && (Values.length === 0 || Values.includes(value));
    };
  }
  if (!keys.includes(Key)) {
    throw invalid(`The following filter key is not valid: ${Key}. Valid filter keys include: [${keys.join(', ')}].`);
  }
  if (Values.length === 0) throw invalid(`The following filter values are missing : null for filter key ${Key}`);
  if (Key === 'Path') return pathTest(Option ?? 'OneLevel', Values);
  const compare = comparisonOf(Key, Option ?? 'Equals');
  return (parameter) => valuesOf(parameter, Key).some((value) => Values.some((wanted) => compare(value, wanted)));
}

function pathTest(option: string, paths: readonly string[]): Test {
  if (option !== 'OneLevel' && option !== 'Recursive') throw invalidOption(option, ['OneLevel', 'Recursive']);
  const prefixes = paths.map((path) => (path.endsWith('/') ? path : `${path}/`));
  return ({ name }) =>
    prefixes.some((prefix) => {
      const full = name.startsWith('/') ? name : `/${name}`;
      return full.startsWith(prefix) && (option === 'Recursive' || !full.slice(prefix.length).includes('/'));
    });
}

function comparisonOf(key: string, option: string): (value: string, wanted: string) => boolean {
  const options = key === 'Name' ? ['BeginsWith', 'Contains', 'Equals'] : ['BeginsWith', 'Equals'];
  if (!options.includes(option)) throw invalidOption(option, options);
  if (option === 'BeginsWith') return (value, wanted) => value.startsWith(wanted);
  if (option === 'Contains') return (value, wanted) => value.includes(wanted);
  return (value, wanted) => value === wanted;
}

function invalidOption(option: string, options: readonly string[]) {
  return invalid(`The following filter option is not valid: ${option}. Valid options include: [${options.join(', ')}]`);
}

function valuesOf(parameter: Parameter, key: string): readonly string[] {
  switch (key) {
    case 'Type':
      return [parameter.type];
    case 'KeyId':
      return parameter.keyId === undefined ? [] : [parameter.keyId];
    case 'Label':
      return parameter.labels;
    case 'Tier':
      return [parameter.tier];
    case 'DataType':
      return [parameter.dataType];
    default:
      return [parameter.name];
  }
}
