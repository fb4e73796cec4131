/**
 * Writes the operations of API Gateway (both versions) and of Elastic Load Balancing v2 that Lamella offers as tables of
 * `src/protocol/generated/`, from AWS's API models in the form of botocore's `service-2.json`.
 *
 *     node scripts/generate-management-operations.mjs DIRECTORY
 *
 * DIRECTORY holds `apigateway.json`, `apigatewayv2.json` and `elbv2.json`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const crud = (thing, ...verbs) =>
  verbs.map((verb) => (verb === 'List' ? `Get${thing.replace(/([^e])y$/, '$1ie')}s` : `${verb}${thing}`));
const TAGS = ['TagResource', 'UntagResource', 'GetTags'];
const all = (thing) => crud(thing, 'Create', 'List', 'Get', 'Update', 'Delete');

const SERVICES = {
  apigateway: {
    file: 'api-gateway-operations',
    name: 'REST_API_OPERATIONS',
    title: 'API Gateway (2015-07-09)',
    operations: [
      ...all('RestApi'),
      'ImportRestApi',
      'PutRestApi',
      ...all('Resource'),
      ...['Method', 'MethodResponse', 'Integration', 'IntegrationResponse'].flatMap((thing) =>
        crud(thing, 'Put', 'Get', 'Update', 'Delete'),
      ),
      ...['Deployment', 'Stage', 'Authorizer', 'Model', 'RequestValidator', 'ApiKey', 'UsagePlan'].flatMap(all),
      ...crud('GatewayResponse', 'Put', 'List', 'Get', 'Update', 'Delete'),
      ...crud('UsagePlanKey', 'Create', 'List', 'Get', 'Delete'),
      ...all('DomainName'),
      ...all('BasePathMapping'),
      'GetAccount',
      'UpdateAccount',
      ...TAGS,
    ],
  },
  apigatewayv2: {
    file: 'api-gateway-v2-operations',
    name: 'HTTP_API_OPERATIONS',
    title: 'API Gateway V2 (2018-11-29)',
    operations: [
      ...all('Api'),
      'ImportApi',
      'ReimportApi',
      'DeleteCorsConfiguration',
      ...['Integration', 'Route', 'Stage', 'Deployment', 'Authorizer', 'DomainName', 'ApiMapping'].flatMap(all),
      ...TAGS,
    ],
  },
  elbv2: {
    file: 'load-balancer-operations',
    name: 'LOAD_BALANCER_OPERATIONS',
    title: 'Elastic Load Balancing v2 (2015-12-01)',
    operations: [
      'CreateLoadBalancer',
      'DescribeLoadBalancers',
      'DeleteLoadBalancer',
      'DescribeLoadBalancerAttributes',
      'ModifyLoadBalancerAttributes',
      'SetSecurityGroups',
      'SetSubnets',
      'SetIpAddressType',
      'DescribeCapacityReservation',
      'CreateListener',
      'DescribeListeners',
      'ModifyListener',
      'DeleteListener',
      'DescribeListenerAttributes',
      'ModifyListenerAttributes',
      'CreateRule',
      'DescribeRules',
      'ModifyRule',
      'DeleteRule',
      'SetRulePriorities',
      'CreateTargetGroup',
      'DescribeTargetGroups',
      'ModifyTargetGroup',
      'DeleteTargetGroup',
      'DescribeTargetGroupAttributes',
      'ModifyTargetGroupAttributes',
      'RegisterTargets',
      'DeregisterTargets',
      'DescribeTargetHealth',
      'AddTags',
      'RemoveTags',
      'DescribeTags',
    ],
  },
};

const directory = process.argv[2];
if (directory === undefined) throw new Error('Name the directory with the models.');
for (const [source, service] of Object.entries(SERVICES)) {
  const model = JSON.parse(readFileSync(join(directory, `${source}.json`), 'utf8'));
  const target = join(import.meta.dirname, '..', 'src', 'protocol', 'generated', `${service.file}.ts`);
  writeFileSync(target, render(model, service));
}

function render(model, { name, title, operations }) {
  const isRest = model.metadata.protocol === 'rest-json';
  const shapes = new Map();
  const missing = operations.filter((operation) => model.operations[operation] === undefined);
  if (missing.length > 0) throw new Error(`The model has no ${missing.join(', ')}.`);
  const rows = operations.map((operation) => {
    const { http, input } = model.operations[operation];
    const shape = input ? model.shapes[input.shape] : { members: {} };
    const members = membersOf(model, shape, shapes, isRest);
    if (!isRest) return `  ${operation}: ${members},`;
    const locations = Object.entries(shape.members);
    const path = locations
      .filter(([, member]) => member.location === 'uri')
      .reduce(
        (text, [member, { locationName }]) =>
          text
            .replace(`{${locationName}}`, `{${wireName(member)}}`)
            .replace(`{${locationName}+}`, `{${wireName(member)}}`),
        http.requestUri,
      );
    const query = locations
      .filter(
        ([member, { location, locationName }]) =>
          location === 'querystring' && locationName && locationName !== wireName(member),
      )
      .map(([member, { locationName }]) => `${locationName}: '${wireName(member)}'`);
    const body = locations
      .filter(([member, { location, locationName }]) => !location && locationName && locationName !== wireName(member))
      .map(([member, { locationName }]) => `${locationName}: '${wireName(member)}'`);
    const renamed = body.length > 0 ? `, body: { ${body.join(', ')} }` : '';
    const blob = shape.payload && `, blob: '${wireName(shape.payload)}'`;
    const aliases = query.length > 0 ? `, query: { ${query.join(', ')} }` : '';
    return `  ${operation}: { method: '${http.method}', path: '${path}', status: ${http.responseCode ?? 200}${aliases}${renamed}${blob ?? ''}, members: ${members} },`;
  });
  const type = isRest ? 'Record<string, RestOperation>' : 'Record<string, Members>';
  const imports = isRest ? 'Members, RestOperation' : 'Members';
  const text = [
    `/** ${title}: the operations that Lamella offers. Generated by scripts/generate-management-operations.mjs. */`,
    `import type { ${imports} } from '../member-constraints.ts';`,
    '',
    ...[...shapes.values()],
    '',
    `export const ${name} = {`,
    ...rows,
    `} as const satisfies ${type};`,
    '',
  ].join('\n');
  return isRest && !text.includes('satisfies Members') ? text.replace('Members, RestOperation', 'RestOperation') : text;
}

/** Member names on the wire begin with a lower-case letter in both versions of API Gateway. */
function wireName(member) {
  return member.charAt(0).toLowerCase() + member.slice(1);
}

function membersOf(model, shape, shapes, isRest) {
  const required = new Set(shape.required ?? []);
  const entries = Object.entries(shape.members).map(([member, { shape: of }]) => {
    const name = isRest ? wireName(member) : member;
    const type = typeOf(model, of, shapes, isRest);
    const row = required.has(member) ? `{ ...${type}, required: true }` : type;
    return `${name}: ${row}`;
  });
  return `{ ${entries.join(', ')} }`;
}

function typeOf(model, name, shapes, isRest) {
  const shape = model.shapes[name];
  switch (shape.type) {
    case 'string':
    case 'blob':
    case 'timestamp':
      return shape.enum
        ? constant(shapes, name, `{ type: 'string', values: ${JSON.stringify(shape.enum)} }`)
        : constant(shapes, 'Text', "{ type: 'string' }");
    case 'boolean':
      return constant(shapes, 'Flag', "{ type: 'boolean' }");
    case 'integer':
    case 'long':
      return constant(shapes, 'Whole', "{ type: 'integer' }");
    case 'double':
    case 'float':
      return constant(shapes, 'Real', "{ type: 'double' }");
    case 'list':
      return constant(shapes, name, `{ type: 'list', of: ${typeOf(model, shape.member.shape, shapes, isRest)} }`);
    case 'map':
      return constant(
        shapes,
        name,
        `{ type: 'map', key: ${constant(shapes, 'Text', "{ type: 'string' }")}, value: ${typeOf(model, shape.value.shape, shapes, isRest)} }`,
      );
    case 'structure':
      return constant(shapes, name, `{ type: 'structure', members: ${membersOf(model, shape, shapes, isRest)} }`);
    default:
      throw new Error(`${name} has the type ${shape.type}.`);
  }
}

function constant(shapes, shape, text) {
  const name = shape.replace(/^__/, '').replace(/^./, (letter) => letter.toLowerCase());
  if (!shapes.has(name)) shapes.set(name, `const ${name} = ${text} as const;`);
  return name;
}
