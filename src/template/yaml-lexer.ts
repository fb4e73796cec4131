/**
 * The lexer of the library `yaml`, as lenient about indentation as the YAML 1.1 readers of CloudFormation and the SAM
 * tools: the lines of a quoted scalar, and those between brackets, may be indented less than their parent. Public
 * templates are written so. The library offers no option for it, so this wraps the two steps that check it.
 */
import { Lexer } from 'yaml';

type Steps = {
  /** The indentation that a continued line must have. */
  indentNext: number;
  parseQuotedScalar: Step;
  parseFlowCollection: Step;
};
type Step = () => Generator<string, unknown>;

export function createLexer(): Lexer {
  const lexer = new Lexer();
  const steps = lexer as unknown as Steps;
  for (const name of ['parseQuotedScalar', 'parseFlowCollection'] as const) {
    const step = steps[name].bind(lexer);
    steps[name] = function* () {
      const indentNext = steps.indentNext;
      steps.indentNext = 0;
      try {
        return yield* step();
      } finally {
        steps.indentNext = indentNext;
      }
    };
  }
  return lexer;
}
