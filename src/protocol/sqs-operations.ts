/**
 * SQS as far as Lambda's users need it: standard queues. Names on the wire, error codes and limits of the API model
 * (2012-11-05). https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
 */

export const SQS_VERSION = '2012-11-05';
export const SQS_NAMESPACE = 'http://queue.amazonaws.com/doc/2012-11-05/';
/** `X-Amz-Target: AmazonSQS.SendMessage` */
export const SQS_TARGET_PREFIX = 'AmazonSQS';
