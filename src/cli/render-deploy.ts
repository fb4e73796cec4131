/** A deployment as text: the plan, events and outputs. */
import colors from 'picocolors';
import type { BuiltProject } from '../project/build/build-project.ts';
import type { PlannedChange, StackDescription, StackEvent } from '../project/cloud/stack-api.ts';
import type { DeployPlan } from '../project/deploy/deploy-project.ts';
import { megabytes } from './output.ts';

/** Types whose replacement loses what they contain. */
const WITH_CONTENT: Readonly<Record<string, string>> = {
  'AWS::SQS::Queue': 'its messages',
  'AWS::S3::Bucket': 'its objects',
  'AWS::DynamoDB::Table': 'its items',
  'AWS::Logs::LogGroup': 'its log',
  'AWS::SNS::Topic': 'its subscriptions that others made',
  'AWS::SecretsManager::Secret': 'its value',
  'AWS::SSM::Parameter': 'its value, if somebody changed it',
  'AWS::RDS::DBInstance': 'its data',
  'AWS::RDS::DBCluster': 'its data',
  'AWS::EFS::FileSystem': 'its files',
  'AWS::Kinesis::Stream': 'its records',
  'AWS::Cognito::UserPool': 'its users',
  'AWS::KMS::Key': 'the key, and with it what it encrypted',
  'AWS::ApiGateway::RestApi': 'its address',
  'AWS::ApiGatewayV2::Api': 'its address',
  'AWS::Lambda::Url': 'its address',
};

/** The plan and what it would lose, a line for each change. */
export function renderPlan(plan: DeployPlan, project: BuiltProject, where: string): string[] {
  const { changes, uploads, uploadsTotal, bucket, stackName, account, region, isNew } = plan;
  const width = Math.max(0, ...changes.map(({ logicalId }) => logicalId.length));
  const typeWidth = Math.max(0, ...changes.map(({ type }) => type.length));
  const bytes = uploads.reduce((total, upload) => total + upload.bytes, 0);
  const verb = plan.isUploaded ? 'uploaded' : 'to upload';
  const target = bucket === undefined ? '' : `, bucket ${bucket}`;
  const uploaded =
    uploadsTotal === 0 ? [] : [`${uploads.length} of ${uploadsTotal} files ${verb} (${megabytes(bytes)}${target})`];
  const warnings = changes.flatMap(lossOf);
  return [
    `${isNew ? 'New stack' : 'Stack'} ${stackName} in ${region}, account ${account}, ${where}`,
    ...changes.map((change) => {
      const size = sizeOf(change, project);
      const line = `  ${signOf(change)} ${change.logicalId.padEnd(width)}  ${change.type.padEnd(typeWidth)}  ${effectOf(change)}${size === undefined ? '' : `, ${megabytes(size)}`}`;
      return line.trimEnd();
    }),
    ...uploaded,
    ...warnings.map((warning) => `Warning: ${warning}`),
  ];
}

function signOf({ action, replacement }: PlannedChange): string {
  if (action === 'Add' || action === 'Import') return '+';
  if (action === 'Remove') return '-';
  return replacement === 'True' ? '!' : '~';
}

function effectOf({ action, replacement, details, policyAction }: PlannedChange): string {
  if (action === 'Add') return 'create';
  if (action === 'Import') return 'import';
  if (action === 'Remove') return policyAction === 'Retain' ? 'remove from the stack, and keep' : 'delete';
  const what = details.length > 0 ? ` (${details.join(', ')})` : '';
  if (replacement === 'True') return `replace${what}`;
  if (replacement === 'Conditional') return `update, or replace${what}`;
  return `update${what}`;
}

function lossOf({ action, replacement, type, logicalId, policyAction }: PlannedChange): string[] {
  const content = Object.hasOwn(WITH_CONTENT, type) ? WITH_CONTENT[type] : undefined;
  const isKept = policyAction?.endsWith('Retain') || policyAction?.endsWith('Snapshot');
  if (action === 'Remove' && content !== undefined && !isKept) return [`${logicalId} is deleted with ${content}.`];
  if (action !== 'Modify' || replacement === undefined || replacement === 'False' || isKept) return [];
  const may = replacement === 'True' ? 'is replaced by a new one' : 'may be replaced by a new one';
  const loss = content === undefined ? 'The old one is deleted afterwards' : `The old one is deleted with ${content}`;
  // A replaced layer version or alias is what an update of it is.
  if (/^AWS::Lambda::(LayerVersion|Version|Permission)$|^AWS::ApiGateway::Deployment$/.test(type)) return [];
  return [`${logicalId} ${may}. ${loss}.`];
}

/** The size of the zip behind a resource. SAM adds ten letters to the names of layers. */
function sizeOf({ logicalId, action, type }: PlannedChange, { artifacts }: BuiltProject): number | undefined {
  if (action === 'Remove' || !/^AWS::Lambda::(Function|LayerVersion)$/.test(type)) return undefined;
  const name = type.endsWith('LayerVersion') ? logicalId.replace(/[0-9a-f]{10}$/, '') : logicalId;
  return artifacts.find((artifact) => artifact.logicalId === logicalId || artifact.logicalId === name)?.bytes;
}

/** `12:34:56 CREATE_COMPLETE Hello (AWS::Lambda::Function)` */
export function renderEvent({ timestamp, status, logicalId, type, reason }: StackEvent): string {
  const paint = !process.stderr.isTTY
    ? String
    : /FAILED|ROLLBACK/.test(status)
      ? colors.red
      : status.endsWith('_COMPLETE')
        ? colors.green
        : String;
  const isPlain = reason === undefined || /^(User Initiated|Resource creation Initiated)$/.test(reason);
  return `${timestamp.slice(11, 19)} ${paint(status.padEnd(18))} ${logicalId} (${type})${isPlain ? '' : `: ${reason}`}`;
}

/** Outputs of the stack, a line for each. */
export function renderOutputs({ outputs }: StackDescription): string[] {
  const width = Math.max(0, ...outputs.map(({ key }) => key.length));
  return outputs.map(
    ({ key, value, description }) =>
      `${key.padEnd(width)}  ${value}${description === undefined ? '' : `  (${description})`}`,
  );
}
