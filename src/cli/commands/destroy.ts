/** `lamella destroy`: shows what goes, asks, deletes the stack and what its deployments have uploaded. */
import { type DestroyResult, destroyStack } from '../../project/deploy/destroy-stack.ts';
import { explainingCloud } from '../cloud-errors.ts';
import { cloudTarget } from '../cloud-target.ts';
import type { Run } from '../command.ts';
import { confirm, requireAnswer } from '../confirm.ts';
import { Interrupted, interruptible } from '../interruption.ts';
import { printStatus, writeJson } from '../output.ts';
import { findTemplateFile } from '../template-file.ts';
import { createDeployer, placeOf, stackNameOf } from './deploy.ts';

export const run: Run = async ({ args, given }) => {
  const isYes = given.yes === true || given.prompts === false;
  requireAnswer(isYes, 'destroy');
  const stackName = args[0] ?? stackNameOf(given, given.stackName === undefined ? findTemplateFile('destroy') : '.');
  const target = await cloudTarget(given, 'destroy');
  const list = (value: unknown) =>
    (Array.isArray(value) ? value.map(String) : []).flatMap((text) => text.split(/[\s,]+/));
  const request = {
    stackName,
    roleArn: given.roleArn === undefined ? undefined : String(given.roleArn),
    retainResources: list(given.retainResources),
    bucket: given.s3Bucket === undefined ? undefined : String(given.s3Bucket),
    // Below another prefix there may be code of other stacks.
    prefix: given.keepUploads === true || given.s3Prefix !== undefined ? undefined : stackName,
  };
  const result = await interruptible((signal) =>
    explainingCloud(() =>
      destroyStack(createDeployer(target, signal), request, {
        async delete({ name, status }, resources) {
          printStatus(`Stack ${name} (${status}) in ${target.region}, ${placeOf(target)}`);
          for (const { logicalId, type, physicalId = '' } of resources)
            printStatus(`  - ${logicalId}  ${type}  ${physicalId}`);
          return isYes || confirm(`Delete the stack ${name}?`, signal);
        },
        async emptyBuckets(buckets) {
          for (const { logicalId, bucket, objects } of buckets)
            printStatus(`The bucket ${bucket} (${logicalId}) has ${objects} objects.`);
          if (given.emptyBuckets === true) return true;
          if (isYes) return false;
          return confirm('CloudFormation deletes only empty buckets. Delete these objects too?', signal);
        },
      }),
    ),
  ).catch((failure: unknown) => {
    if (failure instanceof Interrupted) {
      printStatus('If the deletion has begun, CloudFormation goes on with it. Run the command again to follow it.');
    }
    throw failure;
  });
  if (given.json) await writeJson({ stackName, ...result });
  else printStatus(summaryOf(result, stackName));
  return result.status === 'declined' ? 1 : 0;
};

function summaryOf({ status, removedObjects }: DestroyResult, name: string): string {
  const uploads = removedObjects === 0 ? '' : ` ${removedObjects} uploaded files were removed.`;
  if (status === 'declined') return 'Nothing was deleted.';
  return status === 'missing' ? `There is no stack ${name}.${uploads}` : `Deleted ${name}.${uploads}`;
}
