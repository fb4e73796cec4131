/**
 * `lamella deploy`: builds, shows the plan of CloudFormation, asks, deploys and follows. Progress goes to standard error,
 * outputs of the stack to standard output.
 */
import { writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { systemClock } from '../../clock.ts';
import { OperatorError } from '../../operator-error.ts';
import { type Given, resolveBuildOptions } from '../../options.ts';
import { type BuiltProject, buildProject } from '../../project/build/build-project.ts';
import { type CloudTarget, createCloudClient } from '../../project/cloud/cloud-client.ts';
import { openStackApi } from '../../project/cloud/stack-api.ts';
import {
  type DeployPlan,
  type DeployRequest,
  type DeployResult,
  deployProject,
} from '../../project/deploy/deploy-project.ts';
import type { Deployer } from '../../project/deploy/deployer.ts';
import { renderYaml } from '../../template/render-yaml.ts';
import { object, objectOf } from '../../template/tree.ts';
import { explainingCloud } from '../cloud-errors.ts';
import { cloudTarget, isAwsTarget } from '../cloud-target.ts';
import type { Run } from '../command.ts';
import { confirm, requireAnswer } from '../confirm.ts';
import { Interrupted, interruptible } from '../interruption.ts';
import { printStatus, writeJson, writeResult } from '../output.ts';
import { renderEvent, renderOutputs, renderPlan } from '../render-deploy.ts';
import { namedTemplate, parameterOverrides, presentTemplate } from '../template-file.ts';
import { BUILD_DIRECTORY, printBuildWarnings } from './build.ts';
import { checkBefore } from './check.ts';

export const run: Run = async ({ args, given }) => {
  refuseGuided(given);
  const mode = given.dryRun ? 'plan' : given.executeChangeset === false ? 'create' : 'execute';
  const isYes = given.yes === true || given.confirmChangeset === false || mode !== 'execute';
  requireAnswer(isYes, 'deploy');
  const target = await cloudTarget(given, 'deploy');
  const file = await templateOf(args[0], given, { isYes, mode });
  return interruptible(async (signal) => {
    const project = await buildFor(file, given, 'deploy', signal);
    if (given.check !== false) await checkBefore(project, given);
    const request = requestOf(given, file, mode);
    const deployer = createDeployer(target, signal);
    const ask = async (question: string) => isYes || confirm(question, signal);
    let isExecuting = false;
    const result = await explainingCloud(() =>
      deployProject(deployer, project, request, {
        makeBucket: (stack) =>
          ask(`There is no bucket for the code yet. Make one with the stack ${stack} in ${target.region}?`),
        deleteFailed: ({ name, status }) =>
          ask(`The creation of ${name} has failed before (${status}). Delete what is left and create it again?`),
        async execute(plan) {
          for (const line of renderPlan(plan, project, placeOf(target))) printStatus(line);
          isExecuting = mode === 'execute' && (await ask('Deploy this?'));
          return isExecuting;
        },
      }),
    ).catch((failure: unknown) => {
      if (isExecuting && failure instanceof Interrupted) {
        printStatus('CloudFormation goes on with what it has begun. Run `lamella deploy` again to follow it.');
      }
      throw failure;
    });
    return report(result, project, given);
  });
};

/**
 * The template to deploy. A directory with a function and without a template gets one, if the user agrees: it is a file of
 * the project from then on.
 */
async function templateOf(
  argument: string | undefined,
  given: Given,
  { isYes, mode }: { readonly isYes: boolean; readonly mode: DeployRequest['mode'] },
): Promise<string> {
  const isNamed = argument !== undefined || given.templateFile !== undefined || presentTemplate() !== undefined;
  if (isNamed) return namedTemplate(argument, given, 'deploy');
  const { templateOfDirectory } = await import('../../dev/function-directory.ts');
  const { body } = templateOfDirectory('.');
  const url = objectOf({ Value: objectOf({ 'Fn::GetAtt': ['FunctionUrl', 'FunctionUrl'] }) });
  const text = renderYaml(object([...Object.entries(body), ['Outputs', objectOf({ Url: url })]]));
  printStatus(`This directory has no template. This one fits it, with a URL that is open to everybody:\n\n${text}`);
  if (mode === 'plan')
    throw usage('There is no template yet, and --dry-run writes none. Save the one above as template.yaml.');
  if (!isYes && !(await confirm('Write it to template.yaml?')))
    throw usage('There is no template. Name one, or write template.yaml.');
  await writeFile(WRITTEN_TEMPLATE, text, { flag: 'wx' });
  return WRITTEN_TEMPLATE;
}

const WRITTEN_TEMPLATE = 'template.yaml';

/** Builds the template of a deployment. */
export async function buildFor(
  file: string,
  given: Given,
  command: string,
  signal: AbortSignal,
): Promise<BuiltProject> {
  const project = await buildProject({
    file,
    buildDirectory: resolve(String(given.buildDir ?? BUILD_DIRECTORY)),
    cacheDir: resolveBuildOptions(given, command).cacheDir,
    parameters: parameterOverrides(given.parameterOverrides, command),
    onProgress: printStatus,
    signal,
  });
  printBuildWarnings(project);
  return project;
}

export function createDeployer(target: CloudTarget, signal: AbortSignal | undefined): Deployer {
  const client = createCloudClient(target, systemClock);
  return {
    client,
    stacks: openStackApi(client, signal),
    cleanup: openStackApi(client),
    signal,
    onStatus: printStatus,
    // The second of two events at the beginning of each resource.
    onEvent: (event) => {
      if (event.reason !== 'Resource creation Initiated') printStatus(renderEvent(event));
    },
  };
}

/** Where a stack is, for people. */
export function placeOf(target: CloudTarget): string {
  return isAwsTarget(target) ? 'AWS' : (target.endpointUrl ?? 'AWS');
}

/** Rights that most templates need: roles, and SAM's transform. Roles with names must be agreed to by name. */
const DEFAULT_CAPABILITIES = ['CAPABILITY_IAM', 'CAPABILITY_AUTO_EXPAND'];

/** The request of the options, for `lamella diff` too. */
export function requestOf(given: Given, file: string, mode: DeployRequest['mode']): DeployRequest {
  const stackName = stackNameOf(given, file);
  const bucket = given.s3Bucket === undefined ? undefined : String(given.s3Bucket);
  if (bucket !== undefined && given.resolveS3 === true) throw usage('Give either --s3-bucket or --resolve-s3.');
  const prefix = given.s3Prefix === undefined ? stackName : String(given.s3Prefix).replace(/^\/+|\/+$/g, '');
  const tags = [...parameterPairs(given.tags)];
  return {
    stackName,
    parameters: parameterOverrides(given.parameterOverrides, 'deploy'),
    capabilities: given.capabilities === undefined ? DEFAULT_CAPABILITIES : wordsOf(given.capabilities),
    tags: new Map(tags),
    roleArn: given.roleArn === undefined ? undefined : String(given.roleArn),
    ...(given.notificationArns !== undefined && { notificationArns: wordsOf(given.notificationArns) }),
    bucket,
    bucketOwner: given.s3BucketOwner === undefined ? undefined : String(given.s3BucketOwner),
    prefix,
    disableRollback: given.disableRollback === true,
    onFailure: given.onFailure === undefined ? undefined : String(given.onFailure),
    mode,
  };
}

/** `--stack-name`, or the name of the directory. */
export function stackNameOf(given: Given, file: string): string {
  if (given.stackName !== undefined) return String(given.stackName);
  const name = basename(dirname(resolve(file)))
    .replace(/[^a-zA-Z0-9]+/g, '-')
    .replace(/^[^a-zA-Z]+|-+$/g, '')
    .slice(0, 100);
  if (name !== '') return name;
  throw usage('Name the stack with --stack-name.');
}

function parameterPairs(given: unknown): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const word of wordsOf(given)) {
    const [, key, value = ''] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
    if (key === undefined) throw usage(`--tags must be NAME=VALUE, not "${word}".`);
    pairs.set(key, value.replace(/^"(.*)"$/s, '$1'));
  }
  return pairs;
}

function wordsOf(given: unknown): string[] {
  const texts = given === undefined ? [] : Array.isArray(given) ? given.map(String) : [String(given)];
  return texts
    .flatMap((text) => (text.includes('=') ? text.split(/\s+(?=[^\s=]+=)/) : text.split(/[\s,]+/)))
    .filter((word) => word !== '');
}

function refuseGuided(given: Given): void {
  if (given.guided !== true) return;
  throw usage(
    'There is no --guided: `lamella deploy` needs only a region and asks before it changes anything. Write what you always use into samconfig.toml.',
  );
}

function usage(reason: string): OperatorError {
  return new OperatorError('usage', { reason, command: 'deploy' });
}

async function report(result: DeployResult, project: BuiltProject, given: Given): Promise<number> {
  const { status, stack, plan, changeSetId } = result;
  if (given.json) await writeJson(asJson(result, project));
  if (status === 'unchanged') {
    if (!given.json) printStatus(`Nothing to deploy: the stack ${stack?.name ?? ''} is up to date.`);
    if (!given.json && stack) await writeOutputs(stack);
    return given.failOnEmptyChangeset === true ? 1 : 0;
  }
  if (status === 'declined') {
    printStatus('Nothing was deployed.');
    return 1;
  }
  if (given.json) return 0;
  if (status === 'planned') printStatus('This is a plan. Nothing was deployed.');
  if (status === 'created') {
    printStatus(
      `The change set was not executed. To execute it: aws cloudformation execute-change-set --change-set-name ${changeSetId}`,
    );
  }
  if (status === 'deployed' && stack) {
    printStatus(`Deployed ${plan?.stackName ?? ''}.`);
    await writeOutputs(stack);
  }
  return 0;
}

async function writeOutputs(stack: Parameters<typeof renderOutputs>[0]): Promise<void> {
  const lines = renderOutputs(stack);
  if (lines.length > 0) await writeResult(`${lines.join('\n')}\n`);
}

function asJson({ status, plan, stack, changeSetId }: DeployResult, { artifacts }: BuiltProject): object {
  return {
    status,
    ...(plan && { plan: planAsJson(plan) }),
    ...(changeSetId !== undefined && { changeSetId }),
    ...(stack && {
      stack: { id: stack.id, name: stack.name, status: stack.status },
      outputs: Object.fromEntries(stack.outputs.map(({ key, value }) => [key, value])),
    }),
    artifacts: artifacts.map(({ logicalId, bytes, sha256 }) => ({ logicalId, bytes, sha256 })),
  };
}

function planAsJson({ uploads, ...plan }: DeployPlan): object {
  return { ...plan, uploads: uploads.map(({ key, bytes, names }) => ({ key, bytes, names })) };
}
