/**
 * The errors of the SAM transform, in the words of AWS's translator. A kind of resource throws one of the first three; the
 * transform gathers them and throws one `InvalidDocument`.
 */

import { compareText } from './python.ts';

/** An error that names a resource, an event, or the template. Its message is the translator's. */
export class TransformError extends Error {
  /** What the errors of a document are ordered by: the id of the resource or the event. */
  readonly order: string;

  constructor(message: string, order = message) {
    super(message);
    this.order = order;
  }
}

export class InvalidResource extends TransformError {
  readonly logicalId: string;

  constructor(logicalId: string, detail: string) {
    super(`Resource with id [${logicalId}] is invalid. ${detail}`, logicalId);
    this.logicalId = logicalId;
  }
}

/** An event of a function or a state machine. The translation of that resource wraps it in an `InvalidResource`. */
export class InvalidEvent extends TransformError {
  constructor(eventId: string, detail: string) {
    super(`Event with id [${eventId}] is invalid. ${detail}`, eventId);
  }
}

/** A section of the template, or its structure. */
export class InvalidTemplate extends TransformError {
  constructor(detail: string) {
    super(`Structure of the SAM template is invalid. ${detail}`);
  }
}

/** A generated resource has the logical id of a resource in the template. */
export class DuplicateLogicalId extends TransformError {
  constructor(logicalId: string, duplicateId: string, resourceType: string) {
    super(
      `Transforming resource with id [${logicalId}] attempts to create a new resource with id [${duplicateId}] and type "${resourceType}". A resource with that id already exists within this template. Please use a different id for that resource.`,
      logicalId,
    );
  }
}

/** All errors of a template. Its message has one line for the document, then the causes. */
export class InvalidDocument extends Error {
  readonly causes: readonly TransformError[];

  constructor(causes: readonly TransformError[]) {
    const distinct = [...new Map(causes.map((cause) => [cause.message, cause])).values()];
    distinct.sort((one, other) => compareText(one.order, other.order));
    const head = `Invalid Serverless Application Specification document. Number of errors found: ${distinct.length}.`;
    super([head, ...distinct.map((cause) => cause.message)].join(' '));
    this.causes = distinct;
  }
}
