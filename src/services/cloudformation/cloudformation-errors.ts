/** What becomes of an error of stacks or templates on the wire. */
import { CLOUDFORMATION_ERRORS } from '../../protocol/cloudformation-operations.ts';
import { TransformFailure } from '../../stacks/change-sets.ts';
import { StackError } from '../../stacks/stack-error.ts';
import { TemplateError } from '../../template/template-error.ts';
import { QueryError } from '../../wire/query-protocol.ts';

/** Runs a handler and turns the errors of stacks and templates into those of the API. */
export async function answering<Result>(action: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (failure) {
    throw queryErrorOf(failure) ?? failure;
  }
}

function queryErrorOf(failure: unknown): QueryError | undefined {
  if (failure instanceof StackError) {
    return new QueryError(failure.code, CLOUDFORMATION_ERRORS[failure.code], failure.message);
  }
  const isTemplate = failure instanceof TemplateError || failure instanceof TransformFailure;
  return isTemplate ? new QueryError('ValidationError', 400, failure.message) : undefined;
}
