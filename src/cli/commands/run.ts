/**
 * `lamella run -- COMMAND`: runs a program with the service as its AWS. Uses the service that runs at the URL or with the
 * data directory; if none runs, starts one for the program and stops it afterwards. The exit code is the program's.
 */
import { OperatorError } from '../../operator-error.ts';
import type { Given, Options } from '../../options.ts';
import { isGiven, OPTIONS, resolveOptions, resolveToolOptions, TOOL_OPTIONS } from '../../options.ts';
import type { Run } from '../command.ts';
import { printError, printStatus, warnOfOpenHost } from '../output.ts';
import { type ProgramEnd, runProgram } from '../run-program.ts';
import { askService, locateService, recordService } from '../running-service.ts';
import { keysOf, programEnvironment } from '../tool-environment.ts';

export const run: Run = async ({ args, given }) => {
  const [command, ...rest] = args;
  if (command === undefined) {
    throw new OperatorError('usage', { reason: 'Name the program to run: lamella run -- COMMAND.', command: 'run' });
  }
  const end = await withService(given, (variables) => runProgram(command, rest, variables));
  if ('reason' in end) printError(`Cannot run ${command}: ${end.reason}.`);
  return end.code;
};

/** Calls `work` with the variables of a service that runs until `work` has ended. */
async function withService(
  given: Given,
  work: (variables: ReturnType<typeof programEnvironment>) => Promise<ProgramEnd>,
): Promise<ProgramEnd> {
  const tool = locateService(resolveToolOptions(given, 'run'), given);
  const isLocated = !resolveOptions(given).ephemeral || isGiven(TOOL_OPTIONS.endpointUrl, given.endpointUrl);
  const found = isLocated ? await askService(tool.endpointUrl, keysOf(tool)) : undefined;
  if (found !== undefined) return work(programEnvironment({ ...tool, endpointUrl: found.lambda }));
  const { startQuietly } = await import('../../lamella.ts');
  const options = ownOptions(given);
  warnOfOpenHost(options);
  const service = await startQuietly(options);
  const forget = recordService({
    lambda: service.url,
    http: service.http.url,
    dataDir: options.dataDir,
    ephemeral: options.ephemeral,
    region: options.region,
    accountId: options.accountId,
  });
  try {
    return await work(programEnvironment({ ...tool, endpointUrl: service.url, accountId: options.accountId }));
  } finally {
    forget();
    await service.close().catch((failure: unknown) => printStatus(`The service did not stop cleanly: ${failure}`));
  }
}

/** Free ports unless others are given: a program reads the URL from its environment. */
function ownOptions(given: Given): Options {
  const port = isGiven(OPTIONS.port, given.port) ? {} : { port: 0 };
  return resolveOptions({ ...given, ...port });
}
