/**
 * What is wrong with a template. Each problem has the message that CloudFormation would return, and what CloudFormation
 * does not tell: the place in the file, and a suggestion.
 */
import type { Place, Places } from './places.ts';
import { MAX_PROBLEMS } from './template-limits.ts';
import type { Path } from './tree.ts';

export type TemplateProblem = {
  /** CloudFormation's text, as ValidateTemplate, CreateStack or a change set's status reason returns it. */
  readonly message: string;
  readonly path?: Path;
  readonly place?: Place;
  /** What the user can do, one sentence. */
  readonly suggestion?: string;
  /** CloudFormation takes the template, but may not read it as intended. */
  readonly isWarning?: boolean;
};

/** A template that CloudFormation would refuse. `message` is what CloudFormation returns; by default that of the first problem. */
export class TemplateError extends Error {
  readonly problems: readonly [TemplateProblem, ...TemplateProblem[]];

  constructor(...problems: readonly [TemplateProblem, ...TemplateProblem[]]) {
    super(problems[0].message);
    this.name = 'TemplateError';
    this.problems = problems;
  }

  /** An error whose message covers several problems. */
  static of(message: string, problems: readonly TemplateProblem[]): TemplateError {
    const [first = { message }, ...rest] = problems.slice(0, MAX_PROBLEMS);
    const error = new TemplateError(first, ...rest);
    error.message = message;
    return error;
  }

  /** The same error with the places of its paths, as `places` knows them. */
  locate(places: Places): TemplateError {
    const located = this.problems.map((problem) =>
      problem.place || !problem.path ? problem : { ...problem, place: places.near(problem.path) },
    );
    return TemplateError.of(this.message, located);
  }
}

/** Throws an error with all problems, if there are any. */
export function throwProblems(problems: readonly TemplateProblem[]): void {
  const [first] = problems;
  if (first) throw TemplateError.of(first.message, problems);
}

/** Runs `work` and gathers the problems of the TemplateError that it throws. Returns undefined then. */
export function gather<Result>(problems: TemplateProblem[], work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    for (const problem of error.problems) problems.push(problem);
    return undefined;
  }
}
