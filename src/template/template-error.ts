/**
 * What is wrong with a template. Each problem has the message that CloudFormation would return, and what CloudFormation
 * does not tell: the place in the file, and a suggestion.
 */
import type { Place, Places } from './places.ts';
import type { Path } from './tree.ts';

export type TemplateProblem = {
  /** CloudFormation's text, as ValidateTemplate, CreateStack or a change set's status reason returns it. */
  readonly message: string;
  readonly path?: Path;
  readonly place?: Place;
  /** What the user can do, one sentence. */
  readonly suggestion?: string;
};

/** A template that CloudFormation would refuse. `message` is that of the first problem, as CloudFormation returns one. */
export class TemplateError extends Error {
  readonly problems: readonly [TemplateProblem, ...TemplateProblem[]];

  constructor(...problems: readonly [TemplateProblem, ...TemplateProblem[]]) {
    super(problems[0].message);
    this.name = 'TemplateError';
    this.problems = problems;
  }

  /** The same error with the places of its paths, as `places` knows them. */
  locate(places: Places): TemplateError {
    const located = this.problems.map((problem) =>
      problem.place || !problem.path ? problem : { ...problem, place: places.near(problem.path) },
    );
    return new TemplateError(...(located as [TemplateProblem, ...TemplateProblem[]]));
  }
}
