import { describe, expect, it } from 'vitest';
import { remedyOf } from './error-remedies.ts';
import { parseErrorPayload, renderFunctionError, separateError } from './function-error.ts';

const payload = (value: unknown) => parseErrorPayload(Buffer.from(JSON.stringify(value)));

describe('the error of a function', () => {
  it('is shown once, from the payload and a line of the log', () => {
    const stack = ['TypeError: boom', '    at handler (/var/task/index.js:1:2)'];
    const error = payload({ errorType: 'TypeError', errorMessage: 'boom', trace: stack });
    if (!error) throw new Error('not an error');
    const logged = JSON.stringify({
      errorType: 'TypeError',
      errorMessage: 'boom',
      stack,
      cause: { errorType: 'E', errorMessage: 'why' },
    });
    const log = `START\nbefore\n2026-01-01T00:00:00.000Z\tid\tERROR\tInvoke Error \t${logged}\nEND\n`;
    const separated = separateError(log, error);
    expect(separated.log).toBe('START\nbefore\nEND\n');
    expect(renderFunctionError(separated.error)).toBe(
      'TypeError: boom\n    at handler (/var/task/index.js:1:2)\nCaused by E: why\n',
    );
  });

  it('is found in JSON logs, wherever the line has it', () => {
    const error = payload({ errorType: 'E', errorMessage: 'm', stackTrace: ['#0 /var/task/a.php:3'] });
    if (!error) throw new Error('not an error');
    for (const line of [
      { level: 'ERROR', message: { errorType: 'E', errorMessage: 'm', stackTrace: [] } },
      { level: 'ERROR', errorType: 'E', errorMessage: 'm' },
    ]) {
      expect(separateError(`${JSON.stringify(line)}\n`, error).log).toBe('');
    }
    const other = `${JSON.stringify({ errorType: 'E', errorMessage: 'another' })}\n`;
    expect(separateError(other, error).log).toBe(other);
    expect(renderFunctionError(error)).toBe('E: m\n    #0 /var/task/a.php:3\n');
  });

  it("of Python's runtime is shown once, too", () => {
    const error = payload({
      errorMessage: 'boom',
      errorType: 'ValueError',
      stackTrace: ['  File "/var/task/f.py", line 3, in handler\n    raise ValueError(1)\n'],
    });
    if (!error) throw new Error('not an error');
    const log = 'before\n[ERROR] ValueError: boom\rTraceback (most recent call last):\r  File "/var/task/f.py"\nEND\n';
    expect(separateError(log, error).log).toBe('before\nEND\n');
    expect(renderFunctionError(error)).toBe(
      'ValueError: boom\n  File "/var/task/f.py", line 3, in handler\n    raise ValueError(1)\n',
    );
  });

  it('of the platform is shown without the request ID', () => {
    const error = payload({
      errorType: 'Sandbox.Timedout',
      errorMessage: 'RequestId: a-b Error: Task timed out after 3.00 seconds',
    });
    if (!error) throw new Error('not an error');
    expect(renderFunctionError(error)).toMatch(
      /^Sandbox.Timedout: Task timed out after 3.00 seconds\n\nIf the function/,
    );
  });

  it('may be any JSON, which is then no error in this form', () => {
    for (const text of ['', 'x', '1', 'null', '{"a":1}', '[]'])
      expect(parseErrorPayload(Buffer.from(text))).toBeUndefined();
    expect(payload({ errorMessage: { a: 1 }, errorType: 'T', trace: 7, cause: 'x' })?.message).toBe('{"a":1}');
  });

  it.each([
    [
      'Error',
      'Call to undefined function mb_strlen()',
      'mbstring is not in this layer: build it with --extensions +mbstring',
    ],
    ['Error', 'Call to undefined function App\\Http\\mb_substr()', '+mbstring'],
    ['Error', 'Call to undefined function App\\curl_init()', '+curl'],
    ['Error', 'Class "NumberFormatter" not found', '+intl'],
    ['Error', 'Class "App\\Redis" not found', '+redis'],
    ['Error', "Class 'ZipArchive' not found", '+zip'],
    ['PDOException', 'could not find driver', '+pdo_mysql'],
    ['Error', 'Class "Monolog\\Logger" not found', 'lamella layer build composer'],
    ['Runtime.ImportModuleError', "Error: Cannot find module 'express'\nRequire stack:", 'npm package express'],
    ['Runtime.UserCodeSyntaxError', 'SyntaxError: Cannot use import statement outside a module', '"type": "module"'],
    [
      'Runtime.ImportModuleError',
      "Unable to import module 'f': No module named 'requests'",
      'pip install -t . requests',
    ],
    ['OSError', "[Errno 30] Read-only file system: '/var/task/x'", 'only below /tmp'],
    ['Runtime.ExitError', 'RequestId: 1 Error: Runtime exited with error: signal: killed', '--memory-size'],
  ])('%s: %s has a remedy', (type, message, remedy) => {
    expect(remedyOf({ type, message, trace: [], cause: undefined })).toContain(remedy);
  });

  it('has no remedy if none is known', () => {
    expect(remedyOf({ type: 'Error', message: 'boom', trace: [], cause: undefined })).toBeUndefined();
    expect(
      remedyOf({ type: 'Error', message: 'Call to undefined function foo()', trace: [], cause: undefined }),
    ).toBeUndefined();
  });
});
