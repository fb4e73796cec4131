/** Checks of the zips: modes, scripts, processors, libraries and sizes, for functions together with their layers. */
import { compareVersions, requiredGlibc } from '../../elf/elf.ts';
import { AMAZON_LINUX_2023_GLIBC, isInAmazonLinux2023 } from '../../packaging/php/amazon-linux-2023.ts';
import { QUOTAS } from '../../protocol/quotas.ts';
import { isCustomRuntime } from '../../protocol/runtimes.ts';
import type { Artifact } from '../build/artifacts.ts';
import { type Finding, finding } from './findings.ts';
import { libraryNames, neededLibraries, type ScannedPackage } from './packages.ts';

export type CheckedPackage = {
  readonly artifact: Artifact;
  readonly scanned: ScannedPackage;
  /** The file of an entry for messages: in the source directory if it is there, otherwise in the zip. */
  locate(path: string): string;
};

export type CheckedFunction = CheckedPackage & {
  readonly runtime: string | undefined;
  readonly handler: string | undefined;
  /** Those that the template builds. */
  readonly layers: readonly CheckedPackage[];
  /** Whether there are layers of which only the ARN is known. */
  readonly hasOtherLayers: boolean;
};

/** Amazon Linux 2, on which older runtimes run. */
const AMAZON_LINUX_2_GLIBC = '2.26';
const ON_AMAZON_LINUX_2 =
  /^(provided\.al2|nodejs1[468]\.x|python3\.([89]|10|11)|java8\.al2|java11|java17|ruby3\.2|dotnet6)$/;
/** Interpreters on the system of `provided.al2023`. */
const SYSTEM_INTERPRETERS = /^\/(usr\/)?bin\/(ba)?sh$|^\/(usr\/)?bin\/env$/;
/** Programs that `env` finds there. Managed runtimes have that of their own language. */
const SYSTEM_PROGRAMS = new Set(['bash', 'sh', 'env', 'cat', 'sed', 'curl', 'gawk', 'awk']);
const MANAGED_PROGRAMS: readonly (readonly [RegExp, RegExp])[] = [
  [/^nodejs/, /^node$/],
  [/^python/, /^python(3(\.\d+)?)?$/],
  [/^ruby/, /^ruby$/],
];

/** Checks of one package by itself. */
export function checkPackage({ artifact, scanned, locate }: CheckedPackage): Finding[] {
  const { logicalId, kind, architecture } = artifact;
  const { files, shebangs, elves, damaged } = scanned;
  const findings: Finding[] = [];
  const add = (code: Finding['code'], path: string, message: string, remedy: string, line?: number) =>
    findings.push(
      finding(code, { logicalId, message, remedy, file: locate(path), ...(line !== undefined && { line }) }),
    );
  for (const [path, mode] of files) {
    const isStarted = path === 'bootstrap' || (kind === 'layer' && /^extensions\/[^/]+$/.test(path));
    if (isStarted && (mode & 0o111) === 0)
      add('bootstrap-mode', path, `${path} is not executable, so Lambda cannot start it`, `Run chmod +x ${path}.`);
  }
  for (const [path, line] of shebangs) {
    if (line.endsWith('\r')) {
      add(
        'crlf-shebang',
        path,
        `the first line of ${path} ends with a carriage return, so that its interpreter is not found`,
        'Save the file with line feeds only (dos2unix).',
        1,
      );
    }
  }
  for (const path of damaged) add('elf-damaged', path, `${path} is damaged`, 'Build it again.');
  const foreign = elves.filter(({ elf }) => elf.architecture !== architecture);
  for (const { name, elf } of foreign.slice(0, MAX_FILES)) {
    const what = elf.architecture === 'other' ? 'another processor' : elf.architecture;
    add(
      'architecture',
      name,
      `${name} is for ${what}, and the ${kind} for ${architecture}`,
      `Build it for ${architecture}, or set ${kind === 'function' ? 'Architectures' : 'CompatibleArchitectures or BuildArchitecture'}.`,
    );
  }
  return findings;
}

/** Files of one kind of finding in one package. The first ones show what is wrong. */
const MAX_FILES = 5;

/** Checks of a function with its layers. */
export function checkTogether(checked: CheckedFunction): Finding[] {
  const { artifact, scanned, layers, runtime, hasOtherLayers, locate } = checked;
  const { logicalId } = artifact;
  const packages = [checked, ...layers];
  const at = placeOf(artifact);
  const findings: Finding[] = [];
  const bytes = packages.reduce((total, each) => total + each.scanned.bytes, 0);
  if (bytes > QUOTAS.unzippedBytes) {
    const message = `${logicalId} and its layers have ${bytes} bytes unzipped, and AWS accepts ${QUOTAS.unzippedBytes}`;
    findings.push(
      finding('size-unzipped', {
        logicalId,
        message,
        remedy: 'Leave out what the function does not need in .lamellaignore, or use fewer extensions.',
        ...at,
      }),
    );
  }
  const isCustom = runtime !== undefined && isCustomRuntime(runtime);
  if (isCustom && !hasOtherLayers && !packages.some((each) => each.scanned.files.has('bootstrap'))) {
    findings.push(
      finding('bootstrap-missing', {
        logicalId,
        message: `${logicalId} has the runtime ${runtime}, and neither its package nor a layer has a bootstrap`,
        remedy: 'Add a layer with a runtime (BuildMethod: php), or an executable file bootstrap.',
        ...at,
      }),
    );
  }
  if (!hasOtherLayers) {
    findings.push(...missingInterpreters(checked), ...missingLibraries(checked));
  }
  const glibc =
    runtime !== undefined && ON_AMAZON_LINUX_2.test(runtime) ? AMAZON_LINUX_2_GLIBC : AMAZON_LINUX_2023_GLIBC;
  for (const each of packages) {
    for (const { name, elf } of each.scanned.elves) {
      const needed = requiredGlibc([elf]);
      if (needed === undefined || compareVersions(needed, glibc) <= 0) continue;
      findings.push(
        finding('glibc', {
          logicalId: each.artifact.logicalId,
          message: `${name} needs glibc ${needed}, and ${runtime ?? 'the runtime'} has ${glibc}`,
          remedy: 'Build it on an older system, such as Amazon Linux 2023.',
          file: each.locate(name),
        }),
      );
    }
  }
  findings.push(...missingHandler(checked, scanned, locate));
  return findings;
}

function placeOf({ place }: Artifact): { file: string; line: number; column: number } {
  return { file: place.file ?? '', line: place.line, column: place.column };
}

function missingInterpreters({ artifact, scanned, layers, runtime = '', locate }: CheckedFunction): Finding[] {
  const inLayers = (path: string) => layers.some((layer) => layer.scanned.files.has(path));
  const exists = (interpreter: string): boolean => {
    if (SYSTEM_INTERPRETERS.test(interpreter)) return true;
    if (interpreter.startsWith('/opt/')) return inLayers(interpreter.slice('/opt/'.length));
    if (interpreter.startsWith('/var/task/')) return scanned.files.has(interpreter.slice('/var/task/'.length));
    return (
      !/^\/(usr|bin|sbin|home|root|snap)\b/.test(interpreter) || isManaged(runtime, interpreter.split('/').at(-1) ?? '')
    );
  };
  const started = [...scanned.shebangs].filter(
    ([path]) => path === 'bootstrap' || ((scanned.files.get(path) ?? 0) & 0o111) !== 0,
  );
  return started.slice(0, MAX_FILES * 4).flatMap(([path, line]) => {
    const words = line.trim().split(/\s+/);
    const [interpreter = '', program = ''] =
      words[0]?.endsWith('/env') && words[1] === '-S' ? [words[0], words[2]] : words;
    const isEnv = interpreter.endsWith('/env');
    const found = isEnv
      ? SYSTEM_PROGRAMS.has(program) || isManaged(runtime, program) || inLayers(`bin/${program}`)
      : exists(interpreter);
    // What only development needs is executable too.
    const isOwn = !/(^|\/)(node_modules|vendor)\//.test(path);
    if (found || interpreter === '' || !isOwn) return [];
    const named = isEnv ? program : interpreter;
    return finding('interpreter-missing', {
      logicalId: artifact.logicalId,
      message: `${path} is started by ${named}, which Amazon Linux 2023 does not have`,
      remedy: 'Bring the interpreter in a layer and name it as /opt/bin/NAME, or use /bin/sh.',
      file: locate(path),
      line: 1,
    });
  });
}

function isManaged(runtime: string, program: string): boolean {
  return MANAGED_PROGRAMS.some(([name, programs]) => name.test(runtime) && programs.test(program));
}

function missingLibraries(checked: CheckedFunction): Finding[] {
  const { layers, runtime } = checked;
  // The list of libraries is that of Amazon Linux 2023.
  if (runtime !== undefined && ON_AMAZON_LINUX_2.test(runtime)) return [];
  const packages = [checked, ...layers];
  const present = new Set(packages.flatMap(({ scanned }) => libraryNames(scanned)));
  return packages.flatMap(({ artifact, scanned, locate }) =>
    scanned.elves.flatMap(({ name, elf }) =>
      neededLibraries(elf)
        .filter(
          (library) => !present.has(library) && !isInAmazonLinux2023(library, elf.versionNeeds.get(library) ?? []),
        )
        .map((library) => {
          const versions = elf.versionNeeds.get(library) ?? [];
          const isOld = isInAmazonLinux2023(library, []);
          const what = isOld ? `${versions.join(', ')} of ${library}` : library;
          return finding('library-missing', {
            logicalId: artifact.logicalId,
            message: `${name} needs ${what}, which neither a layer nor Amazon Linux 2023 has`,
            remedy: `Pack ${library} into a layer, below lib/.`,
            file: locate(name),
          });
        }),
    ),
  );
}

const ENDINGS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^nodejs/, ['.js', '.mjs', '.cjs']],
  [/^python/, ['.py', '/__init__.py']],
  [/^ruby/, ['.rb']],
];

/** The file of a handler of a managed runtime: `src/app.handler`, in Python also with points. */
function missingHandler(
  { artifact, runtime = '', handler, layers, hasOtherLayers }: CheckedFunction,
  scanned: ScannedPackage,
  locate: CheckedPackage['locate'],
): Finding[] {
  const endings = ENDINGS.find(([name]) => name.test(runtime))?.[1];
  if (endings === undefined || handler === undefined || hasOtherLayers) return [];
  const last = handler.lastIndexOf('.');
  const stem = last < 0 ? handler : handler.slice(0, last);
  const stems = runtime.startsWith('python') ? [stem, stem.replaceAll('.', '/')] : [stem];
  const names = stems.flatMap((each) => endings.map((ending) => each + ending));
  // A handler of a layer, as those of extensions, is absolute.
  const isThere = names.some(
    (name) => scanned.files.has(name) || layers.some((layer) => layer.scanned.files.has(name.replace(/^\/opt\//, ''))),
  );
  if (isThere || handler.startsWith('/opt/')) return [];
  const message = `the handler ${handler} has no file ${names.join(' or ')} in the package`;
  return [
    finding('handler-missing', {
      logicalId: artifact.logicalId,
      message,
      remedy: 'Correct Handler or CodeUri.',
      ...placeOf(artifact),
      file: artifact.place.file ?? locate(''),
    }),
  ];
}
