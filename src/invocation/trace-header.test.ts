import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { createTraces } from './trace-header.ts';

const ARN = 'arn:aws:lambda:us-east-1:123456789012:function:one';
const OTHER = 'arn:aws:lambda:us-east-1:123456789012:function:two';
const traces = createTraces(new FakeClock(0x5bef4de7 * 1000));

describe('the trace header', () => {
  it('starts a trace at the current second', () => {
    const { forFunction, forCaller, earlierRuns } = traces.start(undefined, ARN);
    expect(forFunction).toMatch(/^Root=1-5bef4de7-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0;Lineage=1:[0-9a-f]{8}:0$/);
    expect(forCaller).toMatch(/^root=1-5bef4de7-[0-9a-f]{24};parent=[0-9a-f]{16};sampled=0$/);
    expect(earlierRuns).toBe(0);
  });

  it('counts the runs of a function in one chain, regardless of other functions in between', () => {
    let header: string | undefined;
    const runs: number[] = [];
    for (const arn of [ARN, OTHER, ARN, ARN, OTHER]) {
      const trace = traces.start(header, arn);
      runs.push(trace.earlierRuns);
      header = trace.forFunction;
    }
    expect(runs).toEqual([0, 0, 1, 2, 1]);
    expect(header).toMatch(/;Lineage=1:[0-9a-f]{8}:2\|1:[0-9a-f]{8}:1$/);
  });

  it('reads entries of both forms and skips malformed ones', () => {
    const hash = /Lineage=1:([0-9a-f]{8})/.exec(traces.start(undefined, ARN).forFunction)?.[1];
    expect(traces.start(`Lineage=a87bd80c:1|${hash}:4`, ARN).earlierRuns).toBe(5);
    expect(traces.start(`Root=x;Lineage=25:${hash}:15;Sampled=0`, ARN).earlierRuns).toBe(16);
    expect(traces.start(`Lineage=${hash}:x|::|1:zz:3`, ARN).forFunction).not.toContain('zz');
  });
});
