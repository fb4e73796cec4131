/**
 * The tables of docs/ that come from tables of the code: their file, heading and rows. A test compares them;
 * `node scripts/run.mjs documents` writes them.
 */
import type { Support } from '../src/lambda-api/operations/operation-support.ts';
import { OPERATION_SUPPORT } from '../src/lambda-api/operations/operation-support.ts';
import { OPERATOR_ERRORS } from '../src/operator-error.ts';
import type { OptionRow } from '../src/options.ts';
import { BUILD_OPTIONS, CLIENT_OPTIONS, CLOUD_OPTIONS, OPTIONS, TOOL_OPTIONS } from '../src/options.ts';
import { CHECKS } from '../src/project/check/findings.ts';
import { CLOUDFORMATION_OPERATIONS } from '../src/protocol/cloudformation-operations.ts';
import { CLOUDTRAIL_OPERATIONS } from '../src/protocol/cloudtrail-operations.ts';
import { DYNAMODB_OPERATIONS } from '../src/protocol/dynamodb-operations.ts';
import { ECR_OPERATIONS } from '../src/protocol/ecr-operations.ts';
import { EVENTS_OPERATIONS } from '../src/protocol/events-operations.ts';
import { IAM_OPERATIONS } from '../src/protocol/iam-operations.ts';
import { LOGS_OPERATIONS } from '../src/protocol/logs-operations.ts';
import { S3_OPERATIONS } from '../src/protocol/s3-operations.ts';
import { SCHEDULER_OPERATIONS } from '../src/protocol/scheduler-operations.ts';
import { SECRETS_OPERATIONS } from '../src/protocol/secretsmanager-operations.ts';
import { SERVICE_ERRORS } from '../src/protocol/service-errors.ts';
import { SNS_OPERATIONS } from '../src/protocol/sns-operations.ts';
import { SQS_OPERATIONS } from '../src/protocol/sqs-operations.ts';
import { SSM_OPERATIONS } from '../src/protocol/ssm-operations.ts';
import { STS_OPERATIONS } from '../src/protocol/sts-operations.ts';
import { refusalTestOf, type TestReference, testOf } from './operation-tests.ts';

export type DocumentTable = {
  readonly file: string;
  /** The heading above the table. */
  readonly heading: string;
  /** Cells without Markdown's escapes. */
  readonly rows: readonly (readonly string[])[];
};

export const DOCUMENT_TABLES: readonly DocumentTable[] = [
  options('`lamella start`', OPTIONS),
  options('Commands that call a service', CLIENT_OPTIONS),
  options('Commands that run other programs', TOOL_OPTIONS),
  options('Commands that deploy', CLOUD_OPTIONS),
  options('Commands that build layers', BUILD_OPTIONS),
  {
    file: 'docs/deploying.md',
    heading: 'Checks',
    rows: Object.entries(CHECKS).map(([code, { level, finds }]) => [literal(code), level, finds]),
  },
  {
    file: 'docs/errors.md',
    heading: 'Codes',
    rows: Object.entries(OPERATOR_ERRORS).map(([code, row]) => [
      literal(code),
      String(row.exitCode),
      row.message,
      row.meaning,
      row.remedy,
    ]),
  },
  {
    file: 'docs/errors.md',
    heading: 'All errors of the Lambda API',
    rows: Object.entries(SERVICE_ERRORS).map(([code, row]) => [
      literal(code),
      String(row.status),
      literal('wireName' in row ? row.wireName : code),
      literal(row.messageKey),
      'type' in row ? row.type : 'none',
    ]),
  },
  {
    file: 'docs/fidelity.md',
    heading: 'Operations of the Lambda API',
    rows: Object.entries<Support>(OPERATION_SUPPORT).map(([operation, support]) => [
      literal(operation),
      support.kind,
      noteOn(support),
      testNamed(support.kind === 'refused' ? refusalTestOf(operation) : testOf(operation)),
    ]),
  },
  {
    file: 'docs/fidelity.md',
    heading: 'Operations of other services',
    rows: Object.entries({
      IAM: IAM_OPERATIONS,
      STS: STS_OPERATIONS,
      'CloudWatch Logs': LOGS_OPERATIONS,
      S3: S3_OPERATIONS,
      SQS: SQS_OPERATIONS,
      SNS: SNS_OPERATIONS,
      EventBridge: EVENTS_OPERATIONS,
      'EventBridge Scheduler': SCHEDULER_OPERATIONS,
      'Systems Manager': SSM_OPERATIONS,
      'Secrets Manager': SECRETS_OPERATIONS,
      ECR: ECR_OPERATIONS,
      DynamoDB: DYNAMODB_OPERATIONS,
      CloudTrail: CLOUDTRAIL_OPERATIONS,
      CloudFormation: CLOUDFORMATION_OPERATIONS,
    }).map(([service, operations]) => [service, Object.keys(operations).map(literal).join(', ')]),
  },
];

/** In the notation of docs/behavior/. */
function testNamed({ file, title }: TestReference): string {
  return `${literal(file)}: ${title}`;
}

function noteOn(support: Support): string {
  switch (support.kind) {
    case 'supported':
      return support.note ?? '';
    case 'stored':
      return support.note;
    case 'refused':
      return support.reason;
  }
}

/** The cells of the table under `heading` in a document's text, without the two lines of its head. */
export function readTable(text: string, heading: string): string[][] {
  const lines = text.split('\n');
  const { first, end } = locate(lines, heading);
  return lines.slice(first, end).map(cellsOf);
}

/** The document's text with the rows of that table replaced. */
export function writeTable(text: string, heading: string, rows: DocumentTable['rows']): string {
  const lines = text.split('\n');
  const { first, end } = locate(lines, heading);
  const rendered = rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
  return [...lines.slice(0, first), ...rendered, ...lines.slice(end)].join('\n');
}

/** The cells of one row of a table. */
export function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function locate(lines: readonly string[], heading: string): { first: number; end: number } {
  const title = lines.findIndex((line) => line.replace(/^#+ /, '') === heading && line.startsWith('#'));
  const top = lines.findIndex((line, index) => index > title && line.startsWith('|'));
  if (title < 0 || top < 0) throw new Error(`There is no table under the heading "${heading}"`);
  const length = lines.slice(top).findIndex((line) => !line.startsWith('|'));
  return { first: top + 2, end: length < 0 ? lines.length : top + length };
}

function options(heading: string, table: Readonly<Record<string, OptionRow>>): DocumentTable {
  const rows = Object.values(table).map((row) => [
    row.flag === undefined ? 'none' : literal(row.flag),
    row.variables.map(literal).join(', '),
    row.defaultText ?? (typeof row.default === 'string' ? literal(row.default) : 'none'),
    row.help,
  ]);
  return { file: 'docs/options.md', heading, rows };
}

function literal(text: string): string {
  return `\`${text}\``;
}
