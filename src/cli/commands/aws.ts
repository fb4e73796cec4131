/**
 * `lamella aws`: runs the AWS CLI that is installed against the service. Versions before 2.13 and 1.29 ignore endpoint
 * variables, so the URL is passed as an option too. The exit code is that of the AWS CLI.
 */
import { OperatorError } from '../../operator-error.ts';
import { resolveToolOptions } from '../../options.ts';
import { awsArguments } from '../aws-cli.ts';
import type { Run } from '../command.ts';
import { printError } from '../output.ts';
import { findProgram, runProgram } from '../run-program.ts';
import { locateService } from '../running-service.ts';
import { programEnvironment } from '../tool-environment.ts';

export const run: Run = async ({ args }) => {
  const options = locateService(resolveToolOptions({}, 'aws'), {});
  const path = findProgram('aws');
  if (path === undefined) throw new OperatorError('tool-missing', { tool: 'aws' });
  const end = await runProgram(
    path,
    awsArguments(args, options.endpointUrl, options.region),
    programEnvironment(options),
  );
  if ('reason' in end) printError(`Cannot run ${path}: ${end.reason}.`);
  return end.code;
};
