/**
 * All checks of a built project: of the template, of the zips as AWS will unpack them, and of the source code. Nothing is
 * run, and nothing is called.
 */
import { existsSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Clock } from '../../clock.ts';
import { ACTING_PROVIDERS } from '../../stacks/providers/acting.ts';
import { createRegistry } from '../../stacks/providers/registry.ts';
import type { TemplateProblem } from '../../template/template-error.ts';
import { type Artifact, findArtifacts } from '../build/artifacts.ts';
import type { BuiltProject } from '../build/build-project.ts';
import { readProjectTemplate } from '../build/build-project.ts';
import { type CheckedFunction, type CheckedPackage, checkPackage, checkTogether } from './check-packages.ts';
import { type ScannedSources, scanSources } from './check-sources.ts';
import { checkConfigurations, checkRecorded, checkRole, checkUrls, type TemplateContext } from './check-template.ts';
import { type Finding, finding, sortFindings } from './findings.ts';
import { evaluateResources, referenceOf } from './functions.ts';
import { scanPackage } from './packages.ts';

export type CheckRequest = {
  readonly region: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly clock: Clock;
  /** What `lamella validate` finds. */
  readonly problems: readonly TemplateProblem[];
};

/** Types that act although they have no provider of their own: the engine makes them. */
const ENGINE_TYPES = /^AWS::CloudFormation::|^Custom::|^AWS::CDK::Metadata$/;
/** Findings of one kind in one function. */
const MAX_WRITES = 20;

/** @throws OperatorError 'file-unreadable' */
export async function checkProject(project: BuiltProject, request: CheckRequest): Promise<Finding[]> {
  const { file, body, places } = await readProjectTemplate(project.source);
  const findings = request.problems.map(ofProblem(project.source));
  const artifacts = findArtifacts({ file, body, places }, request.parameters);
  const packages = await scanAll(project, artifacts);
  for (const each of packages.values()) findings.push(...checkPackage(each));
  const sources = new Map<string, ScannedSources>();
  for (const { source } of artifacts) {
    if (sources.has(source) || !existsSync(source) || !statSync(source).isDirectory()) continue;
    sources.set(source, await scanSources(source));
  }
  const resources = await evaluateResources(body, request);
  if (resources !== undefined) {
    const context: TemplateContext = {
      file: project.source,
      places,
      resources,
      today: new Date(request.clock.epochMs()).toISOString().slice(0, 10),
    };
    const { isRecorded } = createRegistry(ACTING_PROVIDERS);
    findings.push(...checkConfigurations(context), ...checkUrls(context));
    findings.push(...checkRecorded(context, (type) => isRecorded(type) && !ENGINE_TYPES.test(type)));
    for (const each of functionsOf(packages, context)) {
      findings.push(...checkTogether(each));
      const { uses = [] } = sources.get(each.artifact.source) ?? {};
      findings.push(...checkRole(each.artifact.logicalId, uses, each.locate, context));
    }
  }
  for (const [source, { writes }] of sources) {
    const owner = artifacts.find((artifact) => artifact.source === source && artifact.kind === 'function');
    if (owner === undefined) continue;
    for (const { path, line, target, call } of writes.slice(0, MAX_WRITES)) {
      const message = `${call} writes to ${target}: on AWS only /tmp is writable`;
      findings.push(
        finding('write-outside-tmp', {
          logicalId: owner.logicalId,
          message,
          remedy: 'Write below /tmp, or to S3.',
          file: join(source, path),
          line,
        }),
      );
    }
  }
  for (const each of Object.values(project.nested)) {
    findings.push(...(await checkProject(each, { ...request, parameters: new Map(), problems: [] })));
  }
  return sortFindings(distinct(findings));
}

function ofProblem(source: string) {
  return ({ message, place, suggestion = 'Correct the template.', isWarning }: TemplateProblem): Finding => ({
    code: 'template',
    level: isWarning ? 'warning' : 'error',
    logicalId: undefined,
    message,
    remedy: suggestion,
    file: source,
    ...(place && { line: place.line, column: place.column }),
  });
}

async function scanAll(project: BuiltProject, artifacts: readonly Artifact[]): Promise<Map<string, CheckedPackage>> {
  const packages = new Map<string, CheckedPackage>();
  const scans = new Map<string, CheckedPackage['scanned']>();
  for (const built of project.artifacts) {
    const artifact = artifacts.find(({ logicalId }) => logicalId === built.logicalId);
    if (artifact === undefined) continue;
    const scanned = scans.get(built.sha256) ?? (await scanPackage(built.zip));
    scans.set(built.sha256, scanned);
    const locate = (path: string) => {
      const source = join(artifact.source, path);
      return existsSync(source) ? source : `${built.zip}:${path}`;
    };
    packages.set(built.logicalId, { artifact, scanned, locate });
  }
  return packages;
}

/** The functions with their layers, as the transformed template names them. */
function functionsOf(packages: ReadonlyMap<string, CheckedPackage>, { resources }: TemplateContext): CheckedFunction[] {
  return resources.flatMap(({ logicalId, type, properties }) => {
    const own = packages.get(logicalId);
    if (type !== 'AWS::Lambda::Function' || own === undefined) return [];
    const listed = Array.isArray(properties.Layers) ? properties.Layers : [];
    // SAM adds ten letters of a hash to the names of layers.
    const layers = listed.flatMap((layer) => {
      const name = referenceOf(layer) ?? '';
      return packages.get(name) ?? packages.get(name.replace(/[0-9a-f]{10}$/, '')) ?? [];
    });
    const text = (name: string) => (typeof properties[name] === 'string' ? String(properties[name]) : undefined);
    return {
      ...own,
      runtime: text('Runtime'),
      handler: text('Handler'),
      layers,
      hasOtherLayers: layers.length < listed.length,
    };
  });
}

function distinct(findings: readonly Finding[]): Finding[] {
  return [
    ...new Map(
      findings.map((each) => [JSON.stringify([each.code, each.file, each.line, each.message]), each]),
    ).values(),
  ];
}

/** The name of a finding's file as the user would type it. */
export function shownFile(file: string, directory: string): string {
  const inside = relative(directory, file);
  return inside === '' || inside.startsWith('..') ? file : inside;
}
