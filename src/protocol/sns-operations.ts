/**
 * SNS as far as Lambda's users need it: standard topics that deliver to functions and queues. Constraints of the API
 * model (2010-03-31). https://docs.aws.amazon.com/sns/latest/api/
 */

export const SNS_VERSION = '2010-03-31';
export const SNS_NAMESPACE = 'http://sns.amazonaws.com/doc/2010-03-31/';
